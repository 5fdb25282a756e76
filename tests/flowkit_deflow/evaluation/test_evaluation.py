import math
from pathlib import Path

import numpy as np
import pytest

from flowkit_deflow.evaluation.evaluation import evaluate
from flowkit_deflow.evaluation.measurement import measure
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantities.noise_level import Moments
from flowkit_deflow.evaluation.smoothing import high_pass_residual
from flowkit_deflow.images.image_files import read_image


def test_samples_are_measured_against_the_clean_image_they_are_named_after(folder: Path) -> None:
    result = evaluate(folder / "generated", folder / "real", folder / "clean")
    assert (result.values["real"]["images"], result.values["generated"]["images"]) == (2, 4)
    assert (result.values["real"]["pixels"], result.values["generated"]["pixels"]) == (2 * 96 * 128, 4 * 96 * 128)
    assert result.against_clean
    assert result.warnings == ()
    # 24576 pixels a channel: an error of 0.5% of either; rounding to 8 bits adds up to 0.7% to 0.02.
    np.testing.assert_allclose(result.values["comparison"]["std_ratio"], 0.5, rtol=0.03)
    assert result.values["comparison"]["overall_std_ratio"] == pytest.approx(0.5, rel=0.02)
    assert result.values["comparison"]["lag1_difference"] == pytest.approx(0, abs=0.02)
    assert result.values["comparison"]["white_kl"] < 0.005
    assert result.values["comparison"]["kl_ratio"] == pytest.approx(
        result.values["comparison"]["kl"] / result.values["comparison"]["white_kl"]
    )
    assert result.values["comparison"]["conditional_kl_ratio"] == pytest.approx(
        result.values["comparison"]["conditional_kl"] / result.values["comparison"]["white_conditional_kl"]
    )
    assert result.values["comparison"]["shared_brightness"] > 0.99


def test_kl_goes_from_real_to_generated(folder: Path) -> None:
    narrow, wide = folder / "generated", folder / "real"
    # KL of Gaussians whose standard deviations are as 1 to 2. The other way round, the wide tails meet bins that
    # the narrow noise never filled, and the divergence is far greater.
    known = math.log(2) + 1 / 8 - 0.5
    result = evaluate(wide, narrow, folder / "clean")
    assert result.values["comparison"]["kl"] == pytest.approx(known, rel=0.05)
    # Each of 16 bins has a sixteenth of the pixels to estimate its histogram from.
    assert result.values["comparison"]["conditional_kl"] == pytest.approx(known, rel=0.15)
    assert evaluate(narrow, wide, folder / "clean").values["comparison"]["kl"] > 0.6


def test_equal_sets_do_not_differ(folder: Path) -> None:
    result = evaluate(folder / "real", folder / "real", folder / "clean")
    np.testing.assert_array_equal(result.values["comparison"]["std_ratio"], 1)
    assert (
        result.values["comparison"]["lag1_difference"],
        result.values["comparison"]["kl"],
        result.values["comparison"]["conditional_kl"],
    ) == (0, 0, 0)


def test_without_clean_images_both_sets_are_measured_against_themselves_smoothed(folder: Path) -> None:
    result = evaluate(folder / "generated", folder / "real")
    images = [read_image(folder / "real" / path) for path in ("astronaut.png", "cats/chelsea.png")]
    smoothed = measure([Pair(image, image - high_pass_residual(image)) for image in images], [Moments])
    # float32 images: the reference is rounded differently.
    np.testing.assert_allclose(result.values["real"]["std"], smoothed[Moments].std, rtol=1e-5)
    assert "fidelity" not in result.values
    assert not result.against_clean
    assert result.values["comparison"]["overall_std_ratio"] < 0.95
