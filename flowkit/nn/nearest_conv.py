"""Convolution of features enlarged by nearest neighbour, at the features' own resolution."""

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.nn.memory_format import channels_last

__all__ = ["PhaseFilters", "nearest_conv2d", "phase_conv2d", "phase_filters"]

PhaseFilters = tuple[Tensor, ...]
"""What :func:`phase_filters` makes of a 3x3 kernel: kernels for corners, rows, columns and the centre of a block."""


def nearest_conv2d(x: Tensor, weight: Tensor, factor: int) -> Tensor:
    r"""A 3x3 convolution of ``x`` enlarged by nearest neighbour, without enlarging it.

    .. math:: y = w * \operatorname{nearest}_f(x)

    Each number of ``x`` fills a block of ``f x f`` equal pixels. Within a block the kernel sees at most 2 x 2 different
    numbers at a corner, 2 x 1 or 1 x 2 along an edge and one inside, with the weights of the pixels that are equal
    added up. That is a small set of *phase filters* at the resolution of ``x``: for ``f = 4``, 25 multiplications
    where the plain convolution makes 144; for ``f = 2``, 16 where it makes 36.

    Args:
        x: ``batch x C x H x W``.
        weight: ``N x C x 3 x 3``.
        factor: ``f``, >= 1.

    Returns:
        ``batch x N x (f H) x (f W)``, as a convolution with a padding of 1, in channels-last memory for ``f > 1``.

    Raises:
        ValueError: the kernel is not 3x3, or ``factor`` is under 1.

    References:
        The decomposition is that of sub-pixel convolution, turned round: W. Shi et al., "Is the deconvolution layer the
        same as a convolutional layer?", 2016.

    Examples:
        >>> x, weight = torch.randn(1, 5, 3, 4).double(), torch.randn(2, 5, 3, 3).double()
        >>> plain = F.conv2d(F.interpolate(x, scale_factor=4, mode="nearest"), weight, padding=1)
        >>> torch.allclose(nearest_conv2d(x, weight, 4), plain)
        True
    """
    return phase_conv2d(x, phase_filters(weight, factor), factor)


def phase_filters(weight: Tensor, factor: int) -> PhaseFilters:
    r"""The kernels of :func:`nearest_conv2d`, at the resolution of the small image.

    With the kernel's rows :math:`w_{-1}, w_0, w_1`, a block's first row sees :math:`(w_{-1}, w_0 + w_1)` on the block
    above and its own, its last row :math:`(w_{-1} + w_0, w_1)` on its own and the block below, a row between only the
    sum; and likewise for columns.

    Args:
        weight: ``N x C x 3 x 3``.
        factor: by how much the image would be enlarged, >= 1.

    Returns:
        ``(weight,)`` for a factor of 1; the corners' kernels ``4N x C x 2 x 2`` for 2; for more also those of the edge
        rows ``2N x C x 2 x 1``, of the edge columns ``2N x C x 1 x 2`` and of the centre ``N x C x 1 x 1``.

    Raises:
        ValueError: the kernel is not 3x3, or ``factor`` is under 1.

    References:
        As :func:`nearest_conv2d`.

    Examples:
        >>> [tuple(kernel.shape) for kernel in phase_filters(torch.ones(8, 5, 3, 3), 4)]
        [(32, 5, 2, 2), (16, 5, 2, 1), (16, 5, 1, 2), (8, 5, 1, 1)]
    """
    if weight.shape[-2:] != (3, 3) or factor < 1:
        raise ValueError(
            f"phase filters are made of a 3x3 kernel and a factor of at least 1, got a kernel of shape "
            f"{tuple(weight.shape)} and a factor of {factor}"
        )
    if factor == 1:
        return (weight,)
    edge_rows = _ends(weight, 2)
    corners = torch.cat([part for row in edge_rows for part in _ends(row, 3)])
    if factor == 2:
        return (corners,)
    across = weight.sum(3, keepdim=True)
    rows = torch.cat(_ends(across, 2))
    columns = torch.cat(_ends(weight.sum(2, keepdim=True), 3))
    return corners, rows, columns, across.sum(2, keepdim=True)


def phase_conv2d(x: Tensor, filters: PhaseFilters, factor: int) -> Tensor:
    r"""The convolution of :func:`nearest_conv2d` with kernels that are made already.

    Args:
        x: ``batch x C x H x W``.
        filters: what :func:`phase_filters` made of a kernel and the same factor.
        factor: >= 1.

    Returns:
        :math:`w * \operatorname{nearest}_f(x)`, ``batch x N x (f H) x (f W)``.

    Raises:
        RuntimeError: the filters are those of other channels.

    References:
        As :func:`nearest_conv2d`.

    Examples:
        >>> weight = torch.randn(8, 5, 3, 3)
        >>> phase_conv2d(torch.randn(1, 5, 3, 4), phase_filters(weight, 2), 2).shape
        torch.Size([1, 8, 6, 8])
    """
    # Blocks are put together from whole pixels, which lie in one piece in this format alone.
    x = channels_last(x)
    if factor == 1:
        return F.conv2d(x, filters[0], padding=1)
    _, _, height, width = x.shape
    corners = _pixels(F.conv2d(x, filters[0], padding=1), 4)
    corner = [[corners[2 * i + j][:, i : i + height, j : j + width] for j in range(2)] for i in range(2)]
    if factor == 2:
        lines = [torch.stack(pair, 3) for pair in corner]
    else:
        rows = _pixels(F.conv2d(x, filters[1], padding=(1, 0)), 2)
        columns = _pixels(F.conv2d(x, filters[2], padding=(0, 1)), 2)
        (centre,) = _pixels(F.conv2d(x, filters[3]), 1)
        within = factor - 2
        first, last = (
            torch.stack([left, *[rows[i][:, i : i + height]] * within, right], 3)
            for i, (left, right) in enumerate(corner)
        )
        left, right = (columns[j][:, :, j : j + width] for j in range(2))
        lines = [first, *[torch.stack([left, *[centre] * within, right], 3)] * within, last]
    # batch x H x f x W x f x N
    return torch.stack(lines, 2).flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)


def _ends(weight: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The kernels of a block's first and last line along a dimension."""
    before, centre, after = weight.split(1, dim)
    return torch.cat([before, centre + after], dim), torch.cat([before + centre, after], dim)


def _pixels(y: Tensor, kinds: int) -> tuple[Tensor, ...]:
    """``batch x (kinds N) x H x W`` to ``kinds`` tensors ``batch x H x W x N``."""
    return y.permute(0, 2, 3, 1).chunk(kinds, -1)
