"""The baseline that generated noise is to be better than: white Gaussian noise, fitted to the real noise."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from flowkit_deflow.evaluation.brightness_bins import BRIGHTNESS_BINS
from flowkit_deflow.evaluation.image_set import ImageSet
from flowkit_deflow.evaluation.pair import CHANNELS
from flowkit_deflow.evaluation.quantities.histogram import RESIDUAL_CENTRES, ResidualHistogram
from flowkit_deflow.evaluation.quantities.noise_by_brightness import NoiseByBrightness
from flowkit_deflow.evaluation.quantities.noise_level import Moments
from flowkit_deflow.evaluation.quantities.spatial_correlation import MAX_LAG, SpatialCorrelation
from flowkit_deflow.evaluation.quantities.spectrum import FREQUENCIES, PowerSpectrum
from flowkit_deflow.evaluation.statistic import Array

__all__ = ["white_gaussian", "white_gaussian_shares"]


def white_gaussian(real: Moments, brightness_pixels: Array) -> ImageSet:
    """White Gaussian noise of the real noise's mean and standard deviation in each channel, the same everywhere.

    It is fitted to the very images that it is compared with, so it sets a strict bar.

    Args:
        real: what it is fitted to.
        brightness_pixels: shape (16,), the pixels of the pictures that the noise is thought to lie on, by
            brightness: those of the generated images, so that both are compared at the same brightnesses.

    Returns:
        The set of images that such noise would give, of expected values (counts are not whole numbers).
    """
    delta = np.zeros((MAX_LAG + 1, MAX_LAG + 1))
    delta[0, 0] = 1
    joint = white_gaussian_shares(real)[:, None, :] * brightness_pixels[None, :, None]
    statistics = (
        Moments(mean=real.mean, std=real.std, correlation=np.eye(CHANNELS)),
        NoiseByBrightness(
            pixels=brightness_pixels,
            std=np.full(BRIGHTNESS_BINS, real.overall_std),
            reliable=np.ones(BRIGHTNESS_BINS, dtype=np.bool_),
        ),
        SpatialCorrelation(delta),
        PowerSpectrum(np.full(len(FREQUENCIES), real.overall_std**2)),
        ResidualHistogram(brightness_pixels=brightness_pixels, joint=joint),
    )
    return ImageSet("white", "white Gaussian", {type(statistic): statistic for statistic in statistics}, measured=False)


def white_gaussian_shares(moments: Moments) -> Array:
    """Shares of pixels over the residual, for Gaussian noise of the same mean and standard deviation per channel.

    Args:
        moments: what the Gaussian is fitted to.

    Returns:
        Shape (3, 255), each channel summing to 1.
    """
    mean = torch.from_numpy(moments.mean)[:, None]
    # A constant residual is the limit of ever narrower Gaussians: all its mass in one bin.
    std = torch.from_numpy(moments.std)[:, None].clamp(min=1e-12)
    inner_edges = torch.from_numpy(RESIDUAL_CENTRES[:-1] + 0.5 / 255)
    below = 0.5 * (1 + torch.erf((inner_edges - mean) / (std * math.sqrt(2))))
    # The end bins take the tails, as they take the outliers of the counted residuals.
    padded = F.pad(F.pad(below, (1, 0), value=0.0), (0, 1), value=1.0)
    return np.asarray(padded.diff(dim=1).numpy(), dtype=np.float64)
