import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowkit_deflow.evaluation.divergence import kl_divergence
from flowkit_deflow.evaluation.image_histograms import ImageHistograms
from flowkit_deflow.evaluation.image_set import ImageSet, ImageSets
from flowkit_deflow.evaluation.measurement import measure
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantities.per_image_kl import per_image_kl
from flowkit_deflow.evaluation.quantities.per_image_std import MEDIAN_STD_RATIO, SHARE_WITHIN, ImageStd
from tests.flowkit_deflow.evaluation.residuals import SIDE, gaussian_counts, grey, white_noise


def noisy(clean: str, std: float, seed: int = 0) -> Pair:
    image = grey(3, SIDE, SIDE)
    return Pair(image + std * white_noise(3, SIDE, SIDE, seed=seed), image, clean)


def of(*pairs: Pair) -> ImageSet:
    return measure(pairs, [ImageHistograms, ImageStd])


def test_the_right_noise_on_the_wrong_images_is_seen_image_by_image() -> None:
    real = of(noisy("calm", 0.02, 0), noisy("loud", 0.06, 1))
    swapped = of(noisy("calm", 0.06, 2), noisy("loud", 0.02, 3))
    pooled = [sum(images[ImageHistograms].counts.values()) for images in (real, swapped)]
    # About 60 occupied bins, 65536 pixels twice: finite samples give 0.0005.
    assert kl_divergence(*pooled) < 0.002
    gaussians = [(kl_divergence(gaussian_counts(0, p), gaussian_counts(0, q))) for p, q in ((0.02, 0.06), (0.06, 0.02))]
    # The tails of the wide noise meet bins that the narrow one left empty, which the smoothing prices.
    assert per_image_kl(real[ImageHistograms], swapped[ImageHistograms]) == pytest.approx(np.mean(gaussians), rel=0.2)
    assert per_image_kl(real[ImageHistograms], real[ImageHistograms]) == 0


def test_samples_of_a_clean_image_count_together_and_real_images_weigh() -> None:
    real = of(noisy("a", 0.03, 0), noisy("a", 0.03, 1), noisy("b", 0.05, 2))
    generated = of(noisy("a", 0.04, 3), noisy("a", 0.02, 4), noisy("b", 0.05, 5))
    first, second = (
        kl_divergence(real[ImageHistograms].counts[name], generated[ImageHistograms].counts[name]) for name in "ab"
    )
    expected = (2 * first + second) / 3
    assert per_image_kl(real[ImageHistograms], generated[ImageHistograms]) == pytest.approx(expected, rel=1e-12)
    # Two samples' variances are averaged, not their deviations. 196608 values: an error of 0.2%.
    assert generated[ImageStd].std["a"] == pytest.approx(math.sqrt((0.04**2 + 0.02**2) / 2), rel=0.01)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(0.3, 3.0), min_size=1, max_size=9))
def test_the_share_of_images_of_the_right_strength_and_their_median(ratios: list[float]) -> None:
    real = ImageSet("real", "real", {ImageStd: ImageStd({str(i): 0.01 * (i + 1) for i in range(len(ratios))})})
    own = ImageStd({str(i): 0.01 * (i + 1) * ratio for i, ratio in enumerate(ratios)})
    generated = ImageSet("generated", "generated", {ImageStd: own})
    sets = ImageSets(real, generated, ())
    exact = [own.std[name] / real[ImageStd].std[name] for name in own.std]
    assert SHARE_WITHIN.of(generated, sets) == sum(0.8 <= ratio <= 1.25 for ratio in exact) / len(ratios)
    assert MEDIAN_STD_RATIO.of(generated, sets) == pytest.approx(np.median(ratios))
    assert (SHARE_WITHIN.of(real, sets), MEDIAN_STD_RATIO.of(real, sets)) == (1, 1)


def test_images_that_only_one_set_shows_are_left_out() -> None:
    real, generated = of(noisy("a", 0.03), noisy("b", 0.03)), of(noisy("b", 0.03), noisy("c", 0.03))
    for kind, field in ((ImageHistograms, "counts"), (ImageStd, "std")):
        assert list(getattr(real[kind].matched(generated[kind]), field)) == ["b"]
        assert of(noisy("a", 0.03))[kind].matched(generated[kind]) is None
        assert real[kind].matched(None) is None
