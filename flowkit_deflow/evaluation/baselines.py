"""The baselines that generated noise is to be better than, in the order of the table."""

from flowkit_deflow.evaluation.gaussian_by_place import gaussian_by_brightness, gaussian_by_brightness_and_texture
from flowkit_deflow.evaluation.image_histograms import ImageHistograms
from flowkit_deflow.evaluation.image_set import ImageSet
from flowkit_deflow.evaluation.noise_by_place import NoiseByPlace
from flowkit_deflow.evaluation.quantities.histogram import ResidualHistogram
from flowkit_deflow.evaluation.quantities.noise_level import Moments
from flowkit_deflow.evaluation.statistic import Statistic
from flowkit_deflow.evaluation.white_gaussian import white_gaussian

__all__ = ["BASELINE_KINDS", "PAIRED_BASELINE_KINDS", "baselines", "white_baseline"]

BASELINE_KINDS: tuple[type[Statistic], ...] = (Moments, ResidualHistogram)
"""What the white Gaussian is made from."""

PAIRED_BASELINE_KINDS: tuple[type[Statistic], ...] = (*BASELINE_KINDS, NoiseByPlace, ImageHistograms)
"""What all baselines are made from; without clean images, brightness and texture are those of the noise as well."""


def white_baseline(real: ImageSet, generated: ImageSet) -> tuple[ImageSet, ...]:
    """The white Gaussian fitted to the real images, on the pictures of the generated ones."""
    pixels = generated[ResidualHistogram].brightness_pixels
    return (white_gaussian(real[Moments], pixels, real.get(ImageHistograms), generated.get(NoiseByPlace)),)


def baselines(real: ImageSet, generated: ImageSet) -> tuple[ImageSet, ...]:
    """The white Gaussian, and those that depend on brightness and on texture where the sets show what they need."""
    white = white_baseline(real, generated)
    noise, pictures = real.get(NoiseByPlace), generated.get(NoiseByPlace)
    if noise is None or pictures is None:
        return white
    images = real.get(ImageHistograms)
    return (
        *white,
        gaussian_by_brightness(noise, pictures, images),
        gaussian_by_brightness_and_texture(noise, pictures, images),
    )
