"""Stronger baselines: Gaussian noise whose strength depends on the place, fitted to real pairs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowkit_deflow.evaluation.brightness_bins import BRIGHTNESS_BINS, enough_pixels
from flowkit_deflow.evaluation.gaussian_shares import gaussian_shares
from flowkit_deflow.evaluation.image_histograms import TEXTURE_CLASSES, ImageHistograms
from flowkit_deflow.evaluation.image_set import ImageSet
from flowkit_deflow.evaluation.noise_by_place import NoiseByPlace
from flowkit_deflow.evaluation.pair import CHANNELS
from flowkit_deflow.evaluation.quantities.histogram import ResidualHistogram
from flowkit_deflow.evaluation.quantities.noise_by_brightness import NoiseByBrightness
from flowkit_deflow.evaluation.quantities.noise_level import Moments
from flowkit_deflow.evaluation.quantities.per_image_std import ImageStd
from flowkit_deflow.evaluation.statistic import Array, Statistic
from flowkit_deflow.evaluation.texture import TEXTURE_BINS

__all__ = ["gaussian_by_brightness", "gaussian_by_brightness_and_texture"]


def gaussian_by_brightness(real: NoiseByPlace, pictures: NoiseByPlace, images: ImageHistograms | None) -> ImageSet:
    """Gaussian noise of the real noise's mean and standard deviation in each of 16 bins of brightness.

    Args:
        real: what it is fitted to: the very images that it is compared with.
        pictures: the pixels that the noise is thought to lie on, by place.
        images: the real images one by one; None where they are not known.

    Returns:
        The set of images that such noise would give, of expected values.
    """
    classes = np.repeat(np.arange(BRIGHTNESS_BINS)[:, None], TEXTURE_CLASSES, axis=1)
    return _by_class("brightness", "by brightness", classes, real, pictures, images)


def gaussian_by_brightness_and_texture(
    real: NoiseByPlace, pictures: NoiseByPlace, images: ImageHistograms | None
) -> ImageSet:
    """Gaussian noise fitted in each of 16 bins of brightness times 8 octaves of local contrast.

    Args:
        real: what it is fitted to: the very images that it is compared with.
        pictures: the pixels that the noise is thought to lie on, by place.
        images: the real images one by one; None where they are not known.

    Returns:
        The set of images that such noise would give, of expected values.
    """
    classes = np.arange(BRIGHTNESS_BINS * TEXTURE_CLASSES).reshape(BRIGHTNESS_BINS, TEXTURE_CLASSES)
    return _by_class("brightness_texture", "and by texture", classes, real, pictures, images)


@dataclass(frozen=True, eq=False)
class _Gaussians:
    """A Gaussian for each class of places and channel.

    Attributes:
        mean: shape (3, 16, 8), by channel, brightness and texture.
        variance: the same shape.
    """

    mean: Array
    variance: Array


def _by_class(
    key: str,
    name: str,
    classes: NDArray[np.int64],
    real: NoiseByPlace,
    pictures: NoiseByPlace,
    images: ImageHistograms | None,
) -> ImageSet:
    """The baseline for a division of the 16 x 8 places into classes."""
    noise = _fitted(real, classes)
    pixels = _coarse(pictures.pixels)
    shares = gaussian_shares(noise.mean, np.sqrt(noise.variance))
    power = noise.variance + noise.mean**2
    mean = (noise.mean * pixels).sum((1, 2)) / pixels.sum()
    variance = (power * pixels).sum((1, 2)) / pixels.sum() - mean**2
    brightness_pixels = pixels.sum(1)
    statistics: list[Statistic] = [
        Moments(mean=mean, std=np.sqrt(variance.clip(0)), correlation=np.eye(CHANNELS)),
        _noise_by_brightness(noise, pixels),
        ResidualHistogram(brightness_pixels=brightness_pixels, joint=np.einsum("cbtk,bt->cbk", shares, pixels)),
        NoiseByPlace(pictures.pixels, _fine(noise.mean) * pictures.pixels, _fine(power) * pictures.pixels),
    ]
    if images is not None:
        counts = {clean: np.einsum("cbtk,bt->ck", shares, places) for clean, places in images.places.items()}
        statistics.append(ImageHistograms(images=images.images, counts=counts, places=images.places))
        statistics.append(ImageStd({clean: _std(noise, places) for clean, places in images.places.items()}))
    return ImageSet(key, name, {type(statistic): statistic for statistic in statistics}, measured=False)


def _fitted(real: NoiseByPlace, classes: NDArray[np.int64]) -> _Gaussians:
    pixels, residual, squares = (_coarse(sums) for sums in (real.pixels, real.residual, real.squares))
    member = (classes[..., None] == np.arange(classes.max() + 1)).astype(np.float64)
    in_class = np.einsum("bt,btg->g", pixels, member)
    # A class that the real images hardly show takes the noise of all places together.
    known = enough_pixels(in_class)
    means, powers = (
        np.where(
            known,
            np.einsum("cbt,btg->cg", sums, member) / np.maximum(in_class, 1),
            sums.sum((1, 2), keepdims=True)[..., 0] / pixels.sum(),
        )[:, classes]
        for sums in (residual, squares)
    )
    return _Gaussians(mean=means, variance=(powers - means**2).clip(0))


def _noise_by_brightness(noise: _Gaussians, pixels: Array) -> NoiseByBrightness:
    in_bin = pixels.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (noise.mean * pixels).sum(2) / in_bin
        variance = ((noise.variance + noise.mean**2) * pixels).sum(2) / in_bin - mean**2
    std = np.sqrt(variance.mean(0).clip(0))
    return NoiseByBrightness(pixels=in_bin, std=std, reliable=enough_pixels(in_bin))


def _std(noise: _Gaussians, places: Array) -> float:
    """The standard deviation on an image of these places."""
    mean = (noise.mean * places).sum((1, 2)) / places.sum()
    power = ((noise.variance + noise.mean**2) * places).sum((1, 2)) / places.sum()
    return float(np.sqrt((power - mean**2).mean().clip(0)))


def _coarse(sums: Array) -> Array:
    """Sums by octave of texture, from those by its fine bins."""
    return np.asarray(sums.reshape(*sums.shape[:-1], TEXTURE_CLASSES, TEXTURE_BINS.per_octave).sum(-1))


def _fine(values: Array) -> Array:
    return np.repeat(values, TEXTURE_BINS.per_octave, axis=-1)
