"""Mean-subtracted, contrast-normalised coefficients, which natural images agree in."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit_deflow.evaluation.metrics.windows import gaussian_mean, gaussian_window

__all__ = ["NormalizedContrast", "normalized_contrast", "products_with_neighbours"]

WINDOW = 7
WINDOW_SIGMA = 7 / 6

# The neighbour on the right, the one below, and the two diagonal ones.
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))


class NormalizedContrast(NamedTuple):
    """Coefficients and the contrast that they were divided by, each ``B x 1 x H x W``."""

    coefficients: Tensor
    contrast: Tensor


def normalized_contrast(grey: Tensor, border: str) -> NormalizedContrast:
    r"""Divide what deviates from the local mean by the local contrast, :math:`(x - \mu) / (\sigma + 1)`.

    Args:
        grey: ``B x 1 x H x W``, grey levels from 0 to 255.
        border: how images go on beyond their border, as :func:`torch.nn.functional.pad` has it: ``replicate`` or
            ``constant``, which are zeros.

    Returns:
        Coefficients and contrast, in a Gaussian window of 7 x 7 pixels and 7/6 pixels' width.

    References:
        A. Mittal, A. K. Moorthy, A. C. Bovik, "No-Reference Image Quality Assessment in the Spatial Domain", IEEE TIP
        2012, eqs. 1 to 3.
    """
    window = gaussian_window(WINDOW, WINDOW_SIGMA)
    padded = F.pad(grey, (WINDOW // 2,) * 4, mode=border)
    mean = gaussian_mean(padded, window)
    contrast = (gaussian_mean(padded.square(), window) - mean.square()).abs().sqrt()
    return NormalizedContrast((grey - mean) / (contrast + 1), contrast)


def products_with_neighbours(coefficients: Tensor) -> Tensor:
    """Coefficients times their neighbours on the right, below and on both diagonals; the borders meet.

    Args:
        coefficients: ``B x H x W``.

    Returns:
        ``4 x B x H x W``.
    """
    return torch.stack([coefficients * coefficients.roll(shift, (-2, -1)) for shift in NEIGHBOURS])
