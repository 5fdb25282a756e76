"""Antialiased bicubic downsampling, as super-resolution benchmarks define it, and mirrored padding."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = [
    "Window",
    "bicubic_downsample",
    "cropped_to_multiple",
    "cubic",
    "pad_to_multiple",
    "reflect_pad",
    "reflected",
]


class Window(NamedTuple):
    """A rectangle of pixels.

    Attributes:
        top: The first row, from 0.
        left: The first column, from 0.
        height: The number of rows, at least 1.
        width: The number of columns, at least 1.

    Examples:
        >>> Window(top=0, left=4, height=2, width=2).left
        4
    """

    top: int
    left: int
    height: int
    width: int


def bicubic_downsample(images: Tensor, factor: int, window: Window | None = None) -> Tensor:
    r"""Shrink images by an integer factor with an antialiased bicubic filter, as MATLAB's ``imresize`` does.

    In each direction, with the scale exactly :math:`1 / s` for the factor :math:`s`,

    .. math::
        y_i = \frac{\sum_j w_{ij} x_j}{\sum_j w_{ij}},
        \qquad w_{ij} = k\left(\frac{j + 1/2}{s} - i - \frac12\right),
        \qquad 0 \le i < \lceil n / s \rceil,

    where :math:`x` of length :math:`n` is continued by mirroring with the edge repeated, and :math:`k` is the
    cubic kernel of Keys with :math:`a = -1/2`. Sums are taken in float32 at least. Bicubic filters overshoot:
    results may lie slightly outside the range of the input, and are not clipped.

    On 8-bit images ``imresize`` also rounds between the two directions; here nothing is rounded.

    Args:
        images: A floating-point tensor (..., H, W).
        factor: The factor s >= 1; 1 copies.
        window: The part of the result to compute, in pixels **of the result**; None for all of it. Only the
            input pixels under this part are read, so a small part of a large photograph is cheap.

    Returns:
        A tensor (..., ceil(H / s), ceil(W / s)), or (..., window.height, window.width), of the input's dtype.

    Raises:
        ValueError: If the factor is below 1, the images are empty, or the window is empty or reaches outside.
        TypeError: If ``images`` is not floating-point.

    References:
        R. Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 1981.

    Examples:
        >>> bicubic_downsample(torch.arange(8.0).expand(8, 8), 4)[0].tolist()
        [1.3759765625, 5.6240234375]
        >>> bicubic_downsample(torch.zeros(3, 10, 64), 4, Window(top=1, left=2, height=2, width=5)).shape
        torch.Size([3, 2, 5])
    """
    _check_images(images)
    if factor < 1:
        raise ValueError(f"the factor must be at least 1, got {factor}")
    height, width = (-(-size // factor) for size in images.shape[-2:])
    window = Window(0, 0, height, width) if window is None else window
    inside = (
        0 <= window.top < window.top + window.height <= height
        and 0 <= window.left < window.left + window.width <= width
    )
    if not inside:
        raise ValueError(f"{window} is empty or reaches outside the result, which is {height} x {width}")
    if factor == 1:
        return images[..., window.top : window.top + window.height, window.left : window.left + window.width].clone(
            memory_format=torch.contiguous_format
        )
    top, bottom, rows = _sources(images.shape[-2], factor, window.top, window.height)
    left, right, columns = _sources(images.shape[-1], factor, window.left, window.width)
    seen = images[..., top:bottom, left:right].to(torch.promote_types(images.dtype, torch.float32))
    # The columns become rows before they are filtered: slices of whole rows are faster to add up.
    rows_done = _filter_rows(seen.index_select(-2, rows.to(images.device)), factor, window.height).mT
    both_done = _filter_rows(rows_done.index_select(-2, columns.to(images.device)), factor, window.width).mT
    return both_done.to(images.dtype).contiguous()


def reflect_pad(images: Tensor, top: int, bottom: int, left: int, right: int) -> Tensor:
    """Continue images by mirroring at the centre of the border pixels, which are not repeated.

    Unlike `torch.nn.functional.pad(mode="reflect")`, by any amount: the continuation has the period 2 (n - 1) in
    a direction of n pixels, and a single pixel is repeated.

    Args:
        images: A tensor (..., H, W).
        top: The rows to add above.
        bottom: The rows to add below.
        left: The columns to add on the left.
        right: The columns to add on the right.

    Returns:
        A new tensor (..., top + H + bottom, left + W + right).

    Raises:
        ValueError: If an amount is negative or the images are empty.

    Examples:
        >>> reflect_pad(torch.tensor([[1.0, 2.0, 3.0]]), 0, 0, 1, 4).tolist()
        [[2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0]]
    """
    _check_not_empty(images)
    if min(top, bottom, left, right) < 0:
        raise ValueError(f"padding must not be negative, got {(top, bottom, left, right)} (top, bottom, left, right)")
    rows = reflected(images.shape[-2], top, bottom, images.device)
    columns = reflected(images.shape[-1], left, right, images.device)
    return images.index_select(-2, rows).index_select(-1, columns)


def cropped_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Images ``(..., H, W)`` without the last rows and columns, so that a number divides both sides.

    Examples:
        >>> cropped_to_multiple(torch.zeros(3, 10, 13), 4).shape
        torch.Size([3, 8, 12])
    """
    height, width = images.shape[-2:]
    return images[..., : height - height % multiple, : width - width % multiple]


def pad_to_multiple(images: Tensor, multiple: int) -> tuple[Tensor, tuple[int, int]]:
    r"""Pad images at the bottom and on the right, mirrored, until a number divides both sides.

    :math:`H' = m \lceil H / m \rceil` and :math:`W' = m \lceil W / m \rceil`. The image is mirrored at the centre of
    the border pixels, which are not repeated, as often as needed.

    Args:
        images: A tensor (..., H, W).
        multiple: The number, at least 1.

    Returns:
        The padded tensor and the original (H, W), with which ``padded[..., :H, :W]`` takes the padding off.

    Raises:
        ValueError: If ``multiple`` is below 1 or the images are empty.

    Examples:
        >>> padded, (height, width) = pad_to_multiple(torch.zeros(3, 5, 8), 4)
        >>> padded.shape, height, width
        (torch.Size([3, 8, 8]), 5, 8)
    """
    if multiple < 1:
        raise ValueError(f"the multiple must be at least 1, got {multiple}")
    _check_not_empty(images)
    height, width = images.shape[-2:]
    return reflect_pad(images, 0, -height % multiple, 0, -width % multiple), (height, width)


def _filter_rows(rows: Tensor, factor: int, length: int) -> Tensor:
    # The factor is an integer, so each output has the same weights: the filter is a convolution with a stride.
    # Adding up shifted slices is several times faster than conv2d or a matrix product here, and neither
    # autocast nor the reduced-precision convolutions of GPUs touch it.
    stop = factor * (length - 1) + 1
    weights = _weights(factor)
    result = rows[..., :stop:factor, :] * weights[0]
    for tap, weight in enumerate(weights[1:], start=1):
        result.add_(rows[..., tap : tap + stop : factor, :], alpha=weight)
    return result


def _sources(size: int, factor: int, start: int, length: int) -> tuple[int, int, Tensor]:
    """Find the input pixels under the outputs start, ..., start + length - 1, mirrored with the edge repeated.

    Args:
        size: The number of input pixels.
        factor: The factor.
        start: The first output pixel.
        length: The number of output pixels.

    Returns:
        The smallest range [a, b) of input pixels that holds them all, and their positions counted from a.
    """
    taps = len(_weights(factor))
    first = start * factor + (factor - taps) // 2
    position = torch.arange(first, first + factor * (length - 1) + taps).remainder(2 * size)
    position = torch.where(position < size, position, 2 * size - 1 - position)
    lowest, highest = int(position.min()), int(position.max())
    return lowest, highest + 1, position - lowest


def cubic(position: Tensor) -> Tensor:
    """Keys' cubic convolution kernel with a = -1/2, at positions within 2 of its middle.

    Examples:
        >>> cubic(torch.tensor([0.0, 0.5, 1.0, 1.5]))
        tensor([ 1.0000,  0.5625,  0.0000, -0.0625])
    """
    distance = position.abs()
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return torch.where(distance <= 1, near, far)


@cache
def _weights(factor: int) -> tuple[float, ...]:
    # The kernel reaches 2 * factor to either side of the output's centre, which lies between two input pixels
    # for even factors and on one for odd factors; there the outermost weights are zero and left out.
    taps = 4 * factor if factor % 2 == 0 else 4 * factor - 1
    weights = cubic((torch.arange(taps, dtype=torch.float64) - (taps - 1) / 2) / factor)
    return tuple((weights / weights.sum()).tolist())


def reflected(size: int, before: int, after: int, device: torch.device) -> Tensor:
    """Positions 0, ..., size - 1 of pixels, continued to both sides by mirroring at the border pixels' centres."""
    position = torch.arange(-before, size + after, device=device)
    if size == 1:
        return torch.zeros_like(position)
    position = position.remainder(2 * (size - 1))
    return torch.where(position < size, position, 2 * (size - 1) - position)


def _check_not_empty(images: Tensor) -> None:
    if images.ndim < 2 or 0 in images.shape[-2:]:
        raise ValueError(f"expected images (..., H, W) with H, W >= 1, got the shape {tuple(images.shape)}")


def _check_images(images: Tensor) -> None:
    _check_not_empty(images)
    if not images.is_floating_point():
        raise TypeError(f"expected floating-point images, got {images.dtype}")
