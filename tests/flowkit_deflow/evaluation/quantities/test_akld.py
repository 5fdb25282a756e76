import math
from pathlib import Path

import pytest
import torch

from flowkit_deflow.evaluation.evaluation import evaluate
from flowkit_deflow.evaluation.measurement import measure
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantities.akld import AverageKL, local_variance
from tests.flowkit_deflow.evaluation.residuals import SIDE, grey, white_noise


def akld(generated_std: float, real_std: float) -> float:
    image = grey(3, SIDE, SIDE)
    degraded, real = (
        image + std * white_noise(3, SIDE, SIDE, seed=seed) for seed, std in enumerate((generated_std, real_std))
    )
    return measure([Pair(degraded, image, "a", counterpart=real)], [AverageKL])[AverageKL].divergence


def test_the_window_is_a_normalised_gaussian_of_seven_pixels() -> None:
    residual = torch.zeros(3, 21, 21, dtype=torch.float64)
    residual[:, 10, 10] = 1
    variance = local_variance(residual)[0] - 1e-10
    assert float(variance.sum()) == pytest.approx(1, abs=1e-6)
    assert int((variance > 1e-9).sum()) == 49
    assert float(variance[10, 11] / variance[10, 10]) == pytest.approx(math.exp(-0.5 / 1.4**2))


def test_the_same_noise_anew_costs_what_the_windows_cannot_tell() -> None:
    # The windows' weights have a sum of squares of 0.0405 (an effective 24.7 values): the variance estimates scatter
    # by v = 2 * 0.0405 each, and E[(rho - 1 - log rho) / 2] = v / 2 to the first order; higher orders add a fifth.
    assert akld(0.03, 0.03) == pytest.approx(0.0405, rel=0.3)


def test_a_wrong_level_costs_the_gaussians_divergence_and_is_bounded() -> None:
    half = 0.5 * (0.25 - 1 - math.log(0.25))
    assert akld(0.015, 0.03) == pytest.approx(half, rel=0.15)
    # The ratio is clipped at 10.
    assert akld(0.3, 0.03) == pytest.approx(0.5 * (10 - 1 - math.log(10)), rel=1e-6)
    assert akld(0.0, 0.03) == pytest.approx(0.5 * (0.1 - 1 + math.log(10)), rel=1e-6)


def test_generated_images_are_held_against_the_real_one_of_their_scene(folder: Path) -> None:
    comparison = evaluate(folder / "generated", folder / "real", folder / "clean").values["comparison"]
    # Noise of 0.02 where 0.04 is real; rounding to 8 bits makes it 1% stronger.
    assert comparison["akld"] == pytest.approx(0.5 * (0.25 - 1 - math.log(0.25)), rel=0.15)
    assert "akld" not in evaluate(folder / "generated", folder / "real").values["comparison"]
