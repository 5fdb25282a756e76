"""Where an image has strong edges, and where it is flat."""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["FLAT_BELOW", "REACH", "STRONG_FROM", "steepest_nearby"]

REACH = 3
# In [0, 1] per pixel: a sharp step of 32 grey levels has a Sobel gradient of 16 beside it.
STRONG_FROM = 16 / 255
FLAT_BELOW = 4 / 255


def steepest_nearby(image: Tensor) -> Tensor:
    r"""The steepest slope of the brightness within 3 pixels (a square of 7 x 7) of each pixel.

    .. math:: g(p) = \max_{|q - p|_\infty \le 3} \sqrt{(S_x * b)(q)^2 + (S_y * b)(q)^2}

    with b the mean over the channels and S Sobel's kernels divided by 8, so that a ramp has its slope.

    Args:
        image: 3 x H x W, in [0, 1].

    Returns:
        H x W, in [0, 1] units per pixel.

    Examples:
        >>> ramp = torch.arange(16.0).expand(3, 16, 16) / 255
        >>> round(255 * float(steepest_nearby(ramp)[8, 8]), 3)
        1.0
    """
    brightness = image.mean(0)[None, None]
    smooth = torch.tensor([0.25, 0.5, 0.25]).to(brightness)
    slope = torch.tensor([-0.5, 0.0, 0.5]).to(brightness)
    across = torch.outer(smooth, slope)
    padded = F.pad(brightness, (1, 1, 1, 1), mode="replicate")
    gradient = F.conv2d(padded, torch.stack([across, across.T])[:, None])
    steepness = torch.hypot(gradient[:, :1], gradient[:, 1:])
    return F.max_pool2d(steepness, 2 * REACH + 1, stride=1, padding=REACH)[0, 0]
