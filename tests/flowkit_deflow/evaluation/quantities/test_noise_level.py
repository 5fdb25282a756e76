import math

import numpy as np
import pytest
import torch

from flowkit_deflow.evaluation.measurement import measure
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantities.noise_level import Moments
from flowkit_deflow.evaluation.quantities.spatial_correlation import SpatialCorrelation
from tests.flowkit_deflow.evaluation.residuals import (
    CORRELATION_ERROR,
    KINDS,
    SIDE,
    kl_of_white,
    measured,
    photograph,
    white_noise,
)


def test_white_noise_has_its_mean_std_and_nothing_else() -> None:
    scale = torch.tensor([0.02, 0.03, 0.05], dtype=torch.float64)[:, None, None]
    result = measured(0.01 + scale * white_noise(3, SIDE, SIDE))
    # Standard errors over 65536 pixels: std / 256 of the mean, std / 362 of the standard deviation; 5 of them.
    np.testing.assert_allclose(result[Moments].mean, 0.01, atol=5 * 0.05 / 256)
    np.testing.assert_allclose(result[Moments].std, [0.02, 0.03, 0.05], rtol=5 / 362)
    assert result[Moments].overall_std == pytest.approx(math.sqrt((4 + 9 + 25) * 1e-4 / 3), rel=5 / 362)
    # Channels weigh by their variance, so fewer values count: the error is up to sqrt(3) times the usual.
    others = result[SpatialCorrelation].autocorrelation.ravel()[1:]
    np.testing.assert_allclose(others, 0, atol=math.sqrt(3) * CORRELATION_ERROR)
    assert result[SpatialCorrelation].autocorrelation[0, 0] == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(result[Moments].correlation, np.eye(3), atol=math.sqrt(3) * CORRELATION_ERROR)


def test_real_photographs_with_noise_give_the_noise_back() -> None:
    pairs = []
    for seed, name in enumerate(("astronaut", "chelsea")):
        image = photograph(name).double()[:, :256, :256] * 0.6 + 0.2
        noisy = ((image + 0.03 * white_noise(*image.shape, seed=seed)) * 255).round() / 255
        pairs.append(Pair(noisy, (image * 255).round() / 255))
    result = measure(pairs, KINDS)
    # Rounding both images to 8 bits adds 2 / 12 of a squared grey level.
    np.testing.assert_allclose(result[Moments].std, math.sqrt(0.03**2 + 2 / 12 / 255**2), rtol=0.015)
    assert result[SpatialCorrelation].lag1 == pytest.approx(0, abs=CORRELATION_ERROR)
    assert kl_of_white(result) < 0.002
