"""Jet: couplings of patches, by vision transformers."""

from collections.abc import Sequence
from typing import Any

import torch

from flowkit.bijector import Bijector
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.context_map import ContextMap
from flowkit.bijectors.coupling import Coupling
from flowkit.bijectors.masked_coupling import MaskedCoupling
from flowkit.bijectors.masks import Checkerboard
from flowkit.bijectors.permutation import Permutation
from flowkit.counts import require_counts
from flowkit.distributions.standard_normal import StandardNormal
from flowkit.flow import Flow
from flowkit.models.patches import patch_sizes, require_one_context, to_patches
from flowkit.models.recipe import remembered
from flowkit.models.standardize import Standardize, standardized
from flowkit.nn.class_embedding import ClassEmbedding
from flowkit.nn.vision_transformer import VisionTransformer

__all__ = ["jet"]


@remembered("jet")
def jet(
    shape: Sequence[int],
    patch: int = 2,
    couplings: int = 8,
    layers: int = 2,
    width: int = 64,
    heads: int = 4,
    spatial: int = 4,
    context_channels: int = 0,
    classes: int = 0,
    standardize: Standardize = None,
) -> Flow:
    r"""Jet: affine couplings of patches, whose networks are vision transformers, and nothing else.

    .. math:: z_K = x_K, \qquad z_i = (x_i + b_i(x_K, c))\, e^{s_i(x_K, c)} \text{ for } i \notin K

    Both directions take one pass of each network. Most couplings keep half of each patch's numbers, after a fixed
    permutation drawn at random; every few ones keep every other patch, as the squares of a chessboard.

    Against the paper: log-scales are bounded by 2 both ways, where its scale is a sigmoid times 2.

    Args:
        shape: the images' event shape ``(C, H, W)``; height and width multiples of ``patch``.
        patch: the patches' side in pixels, >= 1; a patch has at least 2 numbers.
        couplings: how many, >= 1.
        layers: transformer blocks in each network, >= 1.
        width: entries of a token, a multiple of ``heads``.
        heads: of the attention, >= 1.
        spatial: every how many couplings one keeps patches in place of numbers, >= 1; 0 for none. An image of a single
            patch has none.
        context_channels: channels of an image of the resolution of ``x`` that is the context; 0 for none.
        classes: how many classes the images have; the context is then class numbers, one for each image or one for
            all. 0 for none.
        standardize: images whose mean and standard deviation per channel are taken out first, as a fixed layer; a
            :class:`~flowkit.FixedAffine` of your own; ``None`` for images of about mean 0 and variance 1.

    Returns:
        A flow over images ``batch x C x H x W``, its base the standard normal.

    Raises:
        ValueError: a size is too small, ``shape`` has not three entries or is no multiple of ``patch``, ``width`` no
            multiple of ``heads``, or both ``context_channels`` and ``classes`` are given.
        TypeError: a size is no integer.

    References:
        Kolesnikov, Pinto and Tschannen, "Jet: a modern transformer-based normalizing flow", TMLR 2025.

    Examples:
        >>> flow = jet((3, 8, 8), patch=4, couplings=2, layers=1, width=16)
        >>> flow.log_prob(torch.randn(5, 3, 8, 8)).shape
        torch.Size([5])
        >>> flow.sample(2).shape
        torch.Size([2, 3, 8, 8])
    """
    require_counts(1, couplings=couplings, layers=layers, width=width, heads=heads)
    require_counts(0, spatial=spatial, context_channels=context_channels, classes=classes)
    require_one_context(context_channels, classes)
    channels, grid = patch_sizes(shape, patch)
    if channels < 2:
        raise ValueError(
            f"a patch of {tuple(shape)} with patch={patch} has 1 number; couplings need at least 2: take 2"
        )
    parts, patches = to_patches(patch)
    features = width if classes else context_channels * patch**2

    def network(seen: int, out: int) -> VisionTransformer:
        return VisionTransformer(seen, out, grid, width, layers, heads, features)

    for number in range(1, couplings + 1):
        if spatial and number % spatial == 0 and grid != (1, 1):
            parity = number // spatial % 2
            parts.append(MaskedCoupling(Checkerboard(parity), network(channels, 2 * channels)))
        else:
            kept = channels // 2
            parts.append(Permutation(torch.randperm(channels), event_dims=3))
            parts.append(Coupling(channels, network(kept, 2 * (channels - kept))))
    bijector: Bijector[Any, Any] = Chain(parts)
    if features:
        bijector = ContextMap(bijector, ClassEmbedding(classes, width) if classes else patches)
    bijector = standardized(bijector, standardize, (shape[0], 1, 1))
    return Flow(bijector, StandardNormal(event_dims=3), tuple(shape), context_dims=0 if classes else 3)
