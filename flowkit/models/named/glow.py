"""Glow: a multi-scale flow for images."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from flowkit.bijector import Bijector
from flowkit.bijectors.actnorm import ActNorm
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.context_map import ContextMap
from flowkit.bijectors.coupling import Coupling
from flowkit.bijectors.factor_out import FactorOut
from flowkit.bijectors.injector import Injector
from flowkit.bijectors.invertible_conv import LUConv1x1
from flowkit.bijectors.multiscale import MultiScale
from flowkit.bijectors.squeeze import Squeeze
from flowkit.counts import require_counts
from flowkit.distributions.conditional_normal import ConditionalNormal
from flowkit.distributions.diagonal_normal import DiagonalNormal
from flowkit.distributions.distribution import Distribution
from flowkit.distributions.factorised import Factorised
from flowkit.distributions.standard_normal import StandardNormal
from flowkit.flow import Flow
from flowkit.models.average_pool import AveragePool
from flowkit.models.recipe import remembered
from flowkit.models.standardize import Standardize, standardized
from flowkit.nn.class_embedding import ClassEmbedding
from flowkit.nn.conv_conditioner import ConvConditioner
from flowkit.nn.zero_conv import ZeroConv2d

__all__ = ["glow"]


@remembered("glow")
def glow(
    shape: Sequence[int],
    levels: int = 3,
    steps: int = 8,
    hidden: int = 128,
    context_channels: int = 0,
    classes: int = 0,
    standardize: Standardize = None,
) -> Flow:
    r"""Glow: levels of a squeeze and steps of actnorm, invertible 1x1 convolution and affine coupling.

    .. math:: z = f_L \circ \dots \circ f_1(x), \qquad
              \log p(x|c) = \sum_l \log p(z_l) + \log\left|\det \frac{\partial z}{\partial x}\right|

    Half of the channels leave after each level but the last, standardised given those that go on; the last level's
    have a learned mean and scale per channel. The actnorms start from data: run
    ``flowkit.initialize(flow.bijector, images, context)`` with a batch before anything else. Give it dequantised
    images (:class:`~flowkit.UniformDequantization`) of values about 0, as images in [0, 1] less 0.5.

    A conditional flow takes as its context an image of the resolution of ``x``, of ``context_channels`` channels: each
    level sees it averaged down to its own resolution, in every coupling's network and in an affine injector after it.
    For features of a network instead (an encoder's pyramid), put :class:`~flowkit.ContextMap` around the levels.

    Args:
        shape: the images' event shape ``(C, H, W)``; height and width multiples of ``2 ** levels``. The flow takes
            images of any other such height and width too; this is what ``sample`` draws unless told otherwise.
        levels: how many levels, >= 1.
        steps: how many steps per level, >= 1.
        hidden: channels of the hidden layers of each network.
        context_channels: channels of the context; 0 for an unconditional flow.
        classes: how many classes the images have; the last level's mean and scale then depend on the class, which is
            the flow's ``label``: class numbers, one for each image or one for all. 0 for none.
        standardize: images whose mean and standard deviation per channel are taken out first, as a fixed layer; a
            :class:`~flowkit.FixedAffine` of your own; ``None`` for images of about mean 0.

    Returns:
        A flow over images ``batch x C x H x W``.

    Raises:
        ValueError: a size is too small, ``shape`` has not three entries, or height or width is no such multiple.
        TypeError: a size is no integer.

    References:
        Kingma and Dhariwal, "Glow: generative flow with invertible 1x1 convolutions", NeurIPS 2018, sec. 3; the
        injector: Lugmayr, Danelljan, Van Gool and Timofte, "SRFlow", ECCV 2020, sec. 3.4.

    Examples:
        >>> import torch
        >>> from flowkit import initialize
        >>> flow = glow((3, 8, 8), levels=2, steps=1, hidden=8)
        >>> images = torch.rand(4, 3, 8, 8) - 0.5
        >>> initialize(flow.bijector, images)
        >>> flow.log_prob(images).shape
        torch.Size([4])
        >>> flow.sample(2).shape
        torch.Size([2, 3, 8, 8])
        >>> digits = glow((1, 8, 8), levels=2, steps=1, hidden=8, classes=10)
        >>> initialize(digits.bijector, torch.rand(4, 1, 8, 8) - 0.5)
        >>> digits.sample((2,), label=torch.arange(10)).shape
        torch.Size([2, 10, 1, 8, 8])
    """
    require_counts(1, levels=levels, steps=steps, hidden=hidden)
    require_counts(0, context_channels=context_channels, classes=classes)
    channels, height, width = _sizes(shape, 2**levels)
    parts: list[Bijector[Tensor, Tensor]] = []
    cuts: list[FactorOut] = []
    bases: list[Distribution[Tensor]] = []
    current = channels
    for level in range(1, levels + 1):
        current *= 4
        chain = Chain([Squeeze(), *(_step(current, hidden, context_channels) for _ in range(steps))])
        parts.append(ContextMap(chain, AveragePool(2**level)) if context_channels else chain)
        if level < levels:
            kept = current // 2
            cuts.append(FactorOut(current, ZeroConv2d(kept, 2 * (current - kept))))
            bases.append(StandardNormal(event_dims=3))
            current = kept
    if classes:
        bases.append(ConditionalNormal(ClassEmbedding(classes, 2 * current), event_dims=3))
    else:
        bases.append(DiagonalNormal(current, event_dims=3))
    bijector = standardized(MultiScale(parts, cuts), standardize, (channels, 1, 1))
    return Flow(bijector, Factorised(bases), (channels, height, width), context_dims=3)


def _sizes(shape: Sequence[int], multiple: int) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ValueError(f"shape is {tuple(shape)}; it must be (channels, height, width)")
    channels, height, width = shape
    require_counts(1, channels=channels, height=height, width=width)
    if height % multiple or width % multiple:
        raise ValueError(f"shape is {tuple(shape)}; height and width must be multiples of 2 ** levels, {multiple}")
    return channels, height, width


def _step(channels: int, hidden: int, context_channels: int) -> Chain:
    kept = channels // 2
    network = ConvConditioner(kept, 2 * (channels - kept), hidden, context_channels)
    parts: list[Bijector[Any, Any]] = [ActNorm(channels), LUConv1x1(channels), Coupling(channels, network)]
    if context_channels:
        parts.append(Injector(channels, ConvConditioner(context_channels, 2 * channels, hidden)))
    return Chain(parts)
