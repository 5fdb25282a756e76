"""Convolution of features enlarged by nearest neighbour, at the features' own resolution."""

from typing import Any

import torch
from torch import Tensor

from flowkit.ops.convolution import conv2d

__all__ = ["nearest_conv2d", "spread_taps", "tap_weight"]


def nearest_conv2d(x: Tensor, weight: Tensor, factor: int) -> Tensor:
    r"""A 3x3 convolution of ``x`` enlarged by nearest neighbour, multiplied out before it is enlarged.

    .. math:: y = w * \operatorname{nearest}_f(x)

    Each number of ``x`` fills a block of ``f x f`` equal pixels, so that only products of it with the nine taps of the
    kernel occur, whatever the factor: they are one 1x1 convolution, 9 multiplications where the plain convolution makes
    ``9 f f``. What is left are additions of neighbours.

    Args:
        x: ``batch x C x H x W``.
        weight: ``N x C x 3 x 3``.
        factor: ``f``, >= 1.

    Returns:
        ``batch x N x (f H) x (f W)``, as a convolution with a padding of 1, in channels-last memory.

    Raises:
        ValueError: the kernel is not 3x3, or ``factor`` is under 1.

    References:
        The idea of convolving at the lower resolution is that of W. Shi et al., "Is the deconvolution layer the same as
        a convolutional layer?", 2016.

    Examples:
        >>> import torch.nn.functional as F
        >>> x, weight = torch.randn(1, 5, 3, 4).double(), torch.randn(2, 5, 3, 3).double()
        >>> plain = F.conv2d(F.interpolate(x, scale_factor=4, mode="nearest"), weight, padding=1)
        >>> torch.allclose(nearest_conv2d(x, weight, 4), plain)
        True
    """
    if factor == 1:
        return conv2d(x, weight)
    return spread_taps(conv2d(x, tap_weight(weight)), factor)


def tap_weight(weight: Tensor) -> Tensor:
    """The nine taps of a 3x3 kernel as a 1x1 kernel with nine times as many outputs.

    Args:
        weight: ``N x C x 3 x 3``.

    Returns:
        ``9N x C x 1 x 1``: the taps row by row, ``N`` outputs each.

    Raises:
        ValueError: the kernel is not 3x3.

    Examples:
        >>> tuple(tap_weight(torch.rand(8, 5, 3, 3)).shape)
        (72, 5, 1, 1)
    """
    if weight.shape[-2:] != (3, 3):
        raise ValueError(f"expected a 3x3 kernel, got one of shape {tuple(weight.shape)}")
    return weight.permute(2, 3, 0, 1).flatten(0, 2)[..., None, None]


def spread_taps(products: Tensor, factor: int) -> Tensor:
    r"""Add up what the taps of a 3x3 kernel make of an image as if the image had been enlarged.

    Along one dimension, with the taps' products :math:`p_{-1}, p_0, p_1`, the first pixel of block ``i`` is
    :math:`p_{-1}[i - 1] + p_0[i] + p_1[i]`, the last :math:`p_{-1}[i] + p_0[i] + p_1[i + 1]`, and each between
    :math:`p_{-1}[i] + p_0[i] + p_1[i]`; along two, likewise for rows and then for columns.

    Args:
        products: ``batch x 9N x H x W``, the result of a convolution by :func:`tap_weight`.
        factor: ``f``, >= 2.

    Returns:
        ``batch x N x (f H) x (f W)`` in channels-last memory.

    Raises:
        ValueError: ``factor`` is under 2.

    References:
        As :func:`nearest_conv2d`.

    Examples:
        >>> spread_taps(torch.rand(1, 72, 3, 4), 4).shape
        torch.Size([1, 8, 12, 16])
    """
    if factor < 2:
        raise ValueError(f"factor is {factor}; an image is enlarged by at least 2")
    batch = products.shape[:-3]
    maps = products.reshape(-1, *products.shape[-3:]).permute(0, 2, 3, 1).unflatten(3, (3, 3, -1))
    # The compiler differentiates by itself, and knows no functions with forward derivatives.
    blocks = _spread(maps, factor) if torch.compiler.is_compiling() else _Spread.apply(maps, factor)
    image = blocks.flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)
    return image if len(batch) == 1 else image.reshape(*batch, *image.shape[-3:])


def _spread(maps: Tensor, factor: int) -> Tensor:
    """Products ``batch x H x W x 3 x 3 x N`` to blocks ``batch x H x f x W x f x N``."""
    lines = [torch.stack(_pixels(row, 2, factor), 3) for row in _pixels(maps, 1, factor, repeated=False)]
    if factor > 2:
        lines[1:-1] = lines[1:-1] * (factor - 2)
    return torch.stack(lines, 2)


class _Spread(torch.autograd.Function):
    """:func:`_spread`, which is linear, with its adjoint written out.

    Autograd's own adjoint would fill an image with zeros for each of the many shifted windows.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(maps: Tensor, factor: int) -> Tensor:
        return _spread(maps, factor)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:
        ctx.factor = inputs[1]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _Gather.apply(grad, ctx.factor), None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:
        return _Spread.apply(tangent, ctx.factor)


class _Gather(torch.autograd.Function):
    """The adjoint of :class:`_Spread`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(blocks: Tensor, factor: int) -> Tensor:
        rows = _taps(blocks, 2, 1)
        return torch.stack([torch.stack(_taps(row, 3, 2), 3) for row in rows], 3)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:
        ctx.factor = inputs[1]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _Spread.apply(grad, ctx.factor), None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:
        return _Gather.apply(tangent, ctx.factor)


def _pixels(maps: Tensor, dim: int, factor: int, repeated: bool = True) -> list[Tensor]:
    """The pixels of each block along a dimension, the taps' being the fourth; those between are equal."""
    before, centre, after = maps.unbind(3)
    length = centre.shape[dim] - 1
    last, first = before + centre, centre + after
    between = [last + after] * (factor - 2 if repeated else min(factor - 2, 1)) if factor > 2 else []
    first.narrow(dim, 1, length).add_(before.narrow(dim, 0, length))
    last.narrow(dim, 0, length).add_(after.narrow(dim, 1, length))
    return [first, *between, last]


def _taps(blocks: Tensor, within: int, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """The taps' gradients from those of each block's pixels, which lie along ``within``."""
    pixels = blocks.unbind(within)
    first, last = pixels[0], pixels[-1]
    between = blocks.narrow(within, 1, len(pixels) - 2).sum(within) if len(pixels) > 2 else None
    before = last.clone() if between is None else between + last
    after = first.clone() if between is None else first + between
    centre = after + last
    length = centre.shape[dim] - 1
    before.narrow(dim, 0, length).add_(first.narrow(dim, 1, length))
    after.narrow(dim, 1, length).add_(last.narrow(dim, 0, length))
    return before, centre, after
