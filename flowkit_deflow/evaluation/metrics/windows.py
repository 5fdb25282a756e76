"""Local means in a Gaussian window."""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["gaussian_mean", "gaussian_window"]


def gaussian_window(size: int, sigma: float) -> Tensor:
    """A Gaussian of some pixels that sums to one, float64.

    Examples:
        >>> gaussian_window(3, 1.0).tolist()
        [0.2740686..., 0.4518627..., 0.2740686...]
    """
    offset = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    weights = torch.exp(-offset.square() / (2 * sigma**2))
    return weights / weights.sum()


def gaussian_mean(images: Tensor, window: Tensor) -> Tensor:
    """The means of each channel in a separable window, where the window lies inside.

    Args:
        images: ``B x C x H x W``.
        window: ``K`` weights.

    Returns:
        ``B x C x (H - K + 1) x (W - K + 1)``.
    """
    channels = images.flatten(0, 1)[:, None]
    weights = window.to(images)
    means = F.conv2d(F.conv2d(channels, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))
    return means.view(*images.shape[:2], *means.shape[-2:])
