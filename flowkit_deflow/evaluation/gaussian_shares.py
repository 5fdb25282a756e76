"""Histograms that Gaussian noise would have."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from flowkit_deflow.evaluation.residual_bins import RESIDUAL_CENTRES
from flowkit_deflow.evaluation.statistic import Array

__all__ = ["gaussian_shares"]


def gaussian_shares(mean: Array, std: Array) -> Array:
    """Shares of pixels over the residual, for Gaussian noise.

    Args:
        mean: any shape, in [0, 1] units.
        std: the same shape, at least zero.

    Returns:
        Shape (..., 255), summing to 1 over the residual. The end bins hold the tails.

    Examples:
        >>> shares = gaussian_shares(np.array([0.0]), np.array([0.0]))
        >>> shares.shape, float(shares[0, 127])
        ((1, 255), 1.0)
    """
    means = torch.from_numpy(np.asarray(mean, dtype=np.float64))[..., None]
    # A constant residual is the limit of ever narrower Gaussians: all its mass in one bin.
    stds = torch.from_numpy(np.asarray(std, dtype=np.float64))[..., None].clamp(min=1e-12)
    inner_edges = torch.from_numpy(RESIDUAL_CENTRES[:-1] + 0.5 / 255)
    below = 0.5 * (1 + torch.erf((inner_edges - means) / (stds * math.sqrt(2))))
    # The end bins take the tails, as they take the outliers of the counted residuals.
    padded = F.pad(F.pad(below, (1, 0), value=0.0), (0, 1), value=1.0)
    return np.asarray(padded.diff(dim=-1).numpy(), dtype=np.float64)
