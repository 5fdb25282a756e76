"""Low and high frequencies of images."""

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit_deflow.images.resize import reflect_pad

__all__ = ["haar_high", "haar_low", "high_pass", "low_pass"]

WINDOW = 5


def low_pass(images: Tensor) -> Tensor:
    """The mean of 5 x 5 pixels, borders mirrored; of the images' shape, ``B x C x H x W``.

    Examples:
        >>> low_pass(torch.ones(1, 3, 8, 8)).std().item()
        0.0
    """
    margin = WINDOW // 2
    return F.avg_pool2d(reflect_pad(images, margin, margin, margin, margin), WINDOW, 1)


def high_pass(images: Tensor) -> Tensor:
    """What :func:`low_pass` leaves out."""
    return images - low_pass(images)


def haar_low(images: Tensor) -> Tensor:
    """The low band of the orthonormal Haar wavelet: ``B x C x H x W`` to ``B x C x H/2 x W/2``."""
    return 2 * F.avg_pool2d(images, 2)


def haar_high(images: Tensor) -> Tensor:
    """The three high bands of the orthonormal Haar wavelet, ``B x C x H x W`` to ``B x 3C x H/2 x W/2``.

    Examples:
        >>> images = torch.rand(1, 1, 4, 4)
        >>> energy = haar_low(images).square().sum() + haar_high(images).square().sum()
        >>> torch.allclose(energy, images.square().sum())
        True
    """
    a, b, c, d = (images[..., row::2, column::2] for row in (0, 1) for column in (0, 1))
    return torch.cat([a - b + c - d, a + b - c - d, a - b - c + d], 1) / 2
