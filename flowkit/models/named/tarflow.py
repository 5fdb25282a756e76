"""TarFlow: autoregressive flow blocks over patches, by transformers."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from flowkit.bijector import Bijector
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.context_map import ContextMap
from flowkit.bijectors.transformer_autoregressive import TransformerAutoregressive
from flowkit.counts import require_counts
from flowkit.distributions.standard_normal import StandardNormal
from flowkit.flow import Flow
from flowkit.models.patches import patch_sizes, require_one_context, to_patches
from flowkit.models.recipe import remembered
from flowkit.models.standardize import Standardize, standardized
from flowkit.nn.causal_transformer import CausalTransformer
from flowkit.nn.optional_class_embedding import OptionalClassEmbedding
from flowkit.nn.vision_transformer import VisionTransformer

__all__ = ["tarflow"]


@remembered("tarflow")
def tarflow(
    shape: Sequence[int],
    patch: int = 2,
    blocks: int = 4,
    layers: int = 2,
    width: int = 64,
    heads: int = 4,
    context_channels: int = 0,
    classes: int = 0,
    standardize: Standardize = None,
) -> Flow:
    r"""TarFlow: blocks that transform each patch given the patches before it, in alternating order.

    .. math:: z^{b}_i = (z^{b-1}_i + \mu_i)\, e^{\alpha_i}, \quad
              (\mu_i, \alpha_i) = \operatorname{transformer}_b(z^{b-1}_{<i}, c), \qquad z^0 = x

    Densities take one pass of each block. Samples are found patch by patch, with kept keys and values, or by Jacobi
    iterations: :func:`flowkit.bijectors.use_decoding`. To go with it: noise in training and denoised samples
    (:class:`flowkit.models.NoiseAugmentation`), and guidance (:func:`flowkit.models.guided`).

    Against the paper: log-scales are bounded by 2, and the first patch is transformed as well.

    Args:
        shape: the images' event shape ``(C, H, W)``; height and width multiples of ``patch``.
        patch: the patches' side in pixels, >= 1.
        blocks: how many flow blocks, >= 1.
        layers: transformer blocks in each flow block, >= 1.
        width: entries of a token, a multiple of ``heads``.
        heads: of the attention, >= 1.
        context_channels: channels of an image of the resolution of ``x`` that is the context, encoded once by a vision
            transformer of as many layers; 0 for none.
        classes: how many classes the images have; the context is then class numbers, one for each image or one for
            all, -1 for no class. Replace a tenth of them by -1 in training if samples are to be guided. 0 for an
            unconditional flow.
        standardize: images whose mean and standard deviation per channel are taken out first, as a fixed layer; a
            :class:`~flowkit.FixedAffine` of your own; ``None`` for images of about mean 0 and variance 1.

    Returns:
        A flow over images ``batch x C x H x W``, its base the standard normal.

    Raises:
        ValueError: a size is too small, ``shape`` has not three entries or is no multiple of ``patch``, ``width`` no
            multiple of ``heads``, or both ``context_channels`` and ``classes`` are given.
        TypeError: a size is no integer.

    References:
        Zhai, Zhang, Nakkiran, Berthelot, Gu, Zheng, Chen, Bautista, Jaitly and Susskind, "Normalizing flows are capable
        generative models", ICML 2025, sec. 2.

    Examples:
        >>> import torch
        >>> flow = tarflow((1, 8, 8), patch=4, blocks=2, layers=1, width=16, classes=10)
        >>> images, digits = torch.randn(5, 1, 8, 8), torch.tensor([3, 1, 4, 1, -1])
        >>> flow.log_prob(images, digits).shape
        torch.Size([5])
        >>> flow.sample((2,), context=torch.arange(10)).shape
        torch.Size([2, 10, 1, 8, 8])
    """
    require_counts(1, blocks=blocks, layers=layers, width=width, heads=heads)
    require_counts(0, context_channels=context_channels, classes=classes)
    require_one_context(context_channels, classes)
    channels, grid = patch_sizes(shape, patch)
    parts, patches = to_patches(patch)
    for block in range(blocks):
        features = width if context_channels or classes else 0
        network = CausalTransformer(channels, 2, grid, width, layers, heads, features)
        parts.append(TransformerAutoregressive(channels, network, reverse=block % 2 == 1))
    bijector: Bijector[Any, Any] = Chain(parts)
    if classes:
        bijector = ContextMap(bijector, OptionalClassEmbedding(classes, width))
    if context_channels:
        seen = context_channels * patch**2
        bijector = ContextMap(
            bijector, nn.Sequential(patches, VisionTransformer(seen, width, grid, width, layers, heads))
        )
    bijector = standardized(bijector, standardize, (shape[0], 1, 1))
    return Flow(bijector, StandardNormal(event_dims=3), tuple(shape), context_dims=0 if classes else 3)
