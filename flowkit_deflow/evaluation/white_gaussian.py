"""The baseline that generated noise is to be better than: white Gaussian noise, fitted to the real noise."""

import numpy as np

from flowkit_deflow.evaluation.brightness_bins import BRIGHTNESS_BINS
from flowkit_deflow.evaluation.gaussian_shares import gaussian_shares
from flowkit_deflow.evaluation.image_histograms import ImageHistograms
from flowkit_deflow.evaluation.image_set import ImageSet
from flowkit_deflow.evaluation.noise_by_place import NoiseByPlace
from flowkit_deflow.evaluation.pair import CHANNELS
from flowkit_deflow.evaluation.quantities.high_pass_gain import HighPassGain
from flowkit_deflow.evaluation.quantities.histogram import ResidualHistogram
from flowkit_deflow.evaluation.quantities.noise_by_brightness import NoiseByBrightness
from flowkit_deflow.evaluation.quantities.noise_level import Moments
from flowkit_deflow.evaluation.quantities.per_image_std import ImageStd
from flowkit_deflow.evaluation.quantities.spatial_correlation import MAX_LAG, SpatialCorrelation
from flowkit_deflow.evaluation.quantities.spectrum import FREQUENCIES, PowerSpectrum
from flowkit_deflow.evaluation.statistic import Array, Statistic

__all__ = ["white_gaussian", "white_gaussian_shares"]


def white_gaussian(
    real: Moments,
    brightness_pixels: Array,
    images: ImageHistograms | None = None,
    places: NoiseByPlace | None = None,
) -> ImageSet:
    """White Gaussian noise of the real noise's mean and standard deviation in each channel, the same everywhere.

    It is fitted to the very images that it is compared with, so it sets a strict bar.

    Args:
        real: what it is fitted to.
        brightness_pixels: shape (16,), the pixels of the pictures that the noise is thought to lie on, by
            brightness: those of the generated images, so that both are compared at the same brightnesses.
        images: the real images one by one, where the noise is thought to lie on each; None where they are not known.
        places: the pictures' places; None where they are not known.

    Returns:
        The set of images that such noise would give, of expected values (counts are not whole numbers).
    """
    delta = np.zeros((MAX_LAG + 1, MAX_LAG + 1))
    delta[0, 0] = 1
    shares = white_gaussian_shares(real)
    statistics: list[Statistic] = [
        Moments(mean=real.mean, std=real.std, correlation=np.eye(CHANNELS)),
        NoiseByBrightness(
            pixels=brightness_pixels,
            std=np.full(BRIGHTNESS_BINS, real.overall_std),
            reliable=np.ones(BRIGHTNESS_BINS, dtype=np.bool_),
        ),
        SpatialCorrelation(delta),
        PowerSpectrum(np.full(len(FREQUENCIES), real.overall_std**2)),
        HighPassGain(0.0),
        ResidualHistogram(
            brightness_pixels=brightness_pixels, joint=shares[:, None, :] * brightness_pixels[None, :, None]
        ),
    ]
    if images is not None:
        counts = dict.fromkeys(images.images, shares)
        statistics.append(ImageHistograms(images=images.images, counts=counts, places=images.places))
        statistics.append(ImageStd(dict.fromkeys(images.images, real.overall_std)))
    if places is not None:
        residual = real.mean[:, None, None] * places.pixels
        squares = (real.mean**2 + real.std**2)[:, None, None] * places.pixels
        statistics.append(NoiseByPlace(places.pixels, residual, squares))
    return ImageSet("white", "white Gaussian", {type(statistic): statistic for statistic in statistics}, measured=False)


def white_gaussian_shares(moments: Moments) -> Array:
    """Shares of pixels over the residual, for Gaussian noise of the same mean and standard deviation per channel.

    Args:
        moments: what the Gaussian is fitted to.

    Returns:
        Shape (3, 255), each channel summing to 1.
    """
    return gaussian_shares(moments.mean, moments.std)
