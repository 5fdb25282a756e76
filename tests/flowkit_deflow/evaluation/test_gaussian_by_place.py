import numpy as np
import torch

from flowkit_deflow.evaluation.divergence import conditional_kl, kl_divergence
from flowkit_deflow.evaluation.gaussian_by_place import gaussian_by_brightness, gaussian_by_brightness_and_texture
from flowkit_deflow.evaluation.image_histograms import ImageHistograms
from flowkit_deflow.evaluation.measurement import measure
from flowkit_deflow.evaluation.noise_by_place import NoiseByPlace
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantities.histogram import ResidualHistogram
from flowkit_deflow.evaluation.quantities.noise_by_brightness import NoiseByBrightness
from flowkit_deflow.evaluation.quantities.noise_level import Moments
from flowkit_deflow.evaluation.quantities.per_image_kl import per_image_kl
from flowkit_deflow.evaluation.quantities.per_image_std import ImageStd
from flowkit_deflow.evaluation.texture import local_contrast
from flowkit_deflow.evaluation.white_gaussian import white_gaussian
from tests.flowkit_deflow.evaluation.residuals import photograph, white_noise

KINDS = [Moments, NoiseByBrightness, NoiseByPlace, ResidualHistogram, ImageHistograms, ImageStd]
IMAGE = photograph("astronaut").double()[:, :320, :320] * 0.6 + 0.2
BRIGHT = IMAGE.mean(0)
TEXTURED = (local_contrast(Pair(IMAGE, IMAGE).detail) > 4 / 255).double()


def noise_of(std: torch.Tensor) -> tuple[ImageHistograms, ResidualHistogram, dict[str, object]]:
    """Real noise of this deviation at each pixel, and the three baselines fitted to it."""
    real = measure([Pair(IMAGE + std * white_noise(*IMAGE.shape), IMAGE, "a")], KINDS)
    images, places = real[ImageHistograms], real[NoiseByPlace]
    fitted = {
        "white": white_gaussian(real[Moments], real[NoiseByBrightness].pixels, images, places),
        "brightness": gaussian_by_brightness(places, places, images),
        "texture": gaussian_by_brightness_and_texture(places, places, images),
    }
    return real[ImageHistograms], real[ResidualHistogram], fitted


def conditional(real: ResidualHistogram, fitted: dict[str, object], name: str) -> float:
    joint = fitted[name][ResidualHistogram].joint
    return conditional_kl(real.joint, joint, real.brightness_pixels > 100)


def test_each_baseline_fits_the_noise_that_it_can_follow() -> None:
    images, real, fitted = noise_of(0.01 + 0.08 * BRIGHT**2)
    # Within a bin of brightness the noise still differs by up to a tenth.
    assert conditional(real, fitted, "brightness") < 0.02 < 0.1 < conditional(real, fitted, "white")
    images, real, fitted = noise_of((0.01 + 0.03 * TEXTURED) * (0.5 + BRIGHT))
    assert conditional(real, fitted, "texture") < 0.02 < 0.08 < conditional(real, fitted, "brightness")
    assert per_image_kl(images, fitted["texture"][ImageHistograms]) < 0.02


def test_the_baselines_have_the_real_noises_strength() -> None:
    std = (0.01 + 0.03 * TEXTURED) * (0.5 + BRIGHT)
    real = measure([Pair(IMAGE + std * white_noise(*IMAGE.shape), IMAGE, "a")], KINDS)
    for fit in (gaussian_by_brightness, gaussian_by_brightness_and_texture):
        baseline = fit(real[NoiseByPlace], real[NoiseByPlace], real[ImageHistograms])
        # On the very pixels it was fitted to: equal but for classes of under 100 pixels, at most 2% of the image.
        np.testing.assert_allclose(baseline[Moments].std, real[Moments].std, rtol=5e-3)
        np.testing.assert_allclose(baseline[ImageStd].std["a"], real[ImageStd].std["a"], rtol=5e-3)
        many = real[NoiseByBrightness].pixels > 1000
        np.testing.assert_allclose(baseline[NoiseByBrightness].std[many], real[NoiseByBrightness].std[many], rtol=0.02)
        counts = baseline[ResidualHistogram].counts
        np.testing.assert_allclose(counts.sum(1), IMAGE[0].numel())
        assert kl_divergence(counts, baseline[ImageHistograms].counts["a"]) < 1e-12
        assert not baseline.measured
