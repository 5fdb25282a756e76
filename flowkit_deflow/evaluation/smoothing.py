"""A stand-in for the clean image where there is none: the degraded image smoothed."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["high_pass_residual", "smooth_reference"]

HIGH_PASS_SIGMA = 1.5


def smooth_reference(image: Tensor) -> Tensor:
    """The image blurred by a Gaussian of 1.5 pixels standard deviation, with mirrored borders.

    See `high_pass_residual` for what a residual against it means.

    Args:
        image: 3 x H x W, in [0, 1].

    Returns:
        3 x H x W, in [0, 1].
    """
    margin = math.ceil(4 * HIGH_PASS_SIGMA)
    offsets = torch.arange(-margin, margin + 1, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (offsets / HIGH_PASS_SIGMA) ** 2)
    kernel = (kernel / kernel.sum()).to(image)
    height, width = image.shape[1:]
    rows = _mirrored(height, margin).to(image.device)
    columns = _mirrored(width, margin).to(image.device)
    padded = image[:, rows][:, :, columns][:, None]
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))[:, 0]


def high_pass_residual(image: Tensor) -> Tensor:
    """The image less `smooth_reference` of itself: its finest detail and the finer part of its noise.

    This is not the noise. It lacks the noise's coarse part (white noise keeps 0.945 of its standard
    deviation, noise whose grain spans several pixels loses most of it) and holds the picture's own edges and
    texture. Numbers made from it compare two sets treated alike and showing similar scenes; they say nothing of
    either set alone.

    Args:
        image: 3 x H x W, in [0, 1].

    Returns:
        3 x H x W, with zero where the image is flat.

    Examples:
        >>> bool(high_pass_residual(torch.full((3, 9, 4), 0.3)).abs().max() < 1e-6)
        True
    """
    return image - smooth_reference(image)


def _mirrored(side: int, margin: int) -> Tensor:
    position = torch.arange(-margin, side + margin) % (2 * side)
    return torch.minimum(position, 2 * side - 1 - position)
