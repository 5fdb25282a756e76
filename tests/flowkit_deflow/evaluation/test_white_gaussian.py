import math

import numpy as np
import pytest
import torch

from flowkit_deflow.evaluation.quantities.histogram import ResidualHistogram
from flowkit_deflow.evaluation.quantities.noise_by_brightness import NoiseByBrightness
from flowkit_deflow.evaluation.quantities.noise_level import Moments
from flowkit_deflow.evaluation.quantities.spatial_correlation import SpatialCorrelation
from flowkit_deflow.evaluation.quantities.spectrum import PowerSpectrum
from flowkit_deflow.evaluation.residual_bins import RESIDUAL_BINS
from flowkit_deflow.evaluation.white_gaussian import white_gaussian, white_gaussian_shares
from tests.flowkit_deflow.evaluation.residuals import (
    CORRELATION_ERROR,
    SIDE,
    kl_of_white,
    laplace_noise,
    measured,
    white_noise,
)


def test_white_gaussian_fits_gaussian_noise_and_misfits_laplace_noise() -> None:
    gaussian = measured(0.03 * white_noise(3, SIDE, SIDE))
    laplace = measured(0.03 * laplace_noise(3, SIDE, SIDE))
    np.testing.assert_allclose(white_gaussian_shares(gaussian[Moments]).sum(1), 1, rtol=1e-12)
    # About 60 occupied bins: sampling leaves 60 / (2 * 65536) = 0.0005.
    assert kl_of_white(gaussian) < 0.002
    # Entropies in nats at variance s^2: Gaussian log(s sqrt(2 pi e)), Laplace 1 + log(s sqrt 2).
    known = 0.5 * math.log(2 * math.pi * math.e) - 1 - 0.5 * math.log(2)
    assert kl_of_white(laplace) == pytest.approx(known, rel=0.1)


def test_white_gaussian_of_a_constant_residual_is_one_bin() -> None:
    result = measured(torch.full((3, 16, 16), 10 / 255, dtype=torch.float64))
    expected = np.zeros((3, RESIDUAL_BINS))
    expected[:, 127 + 10] = 1
    np.testing.assert_allclose(white_gaussian_shares(result[Moments]), expected, atol=1e-9)
    assert kl_of_white(result) == pytest.approx(0, abs=1e-9)
    # Rounding must not pass for noise: nothing is correlated with itself here.
    assert result[Moments].overall_std == 0
    assert result[NoiseByBrightness].std[8] == 0
    assert np.isnan(result[Moments].correlation).all()
    assert np.isnan(result[SpatialCorrelation].autocorrelation).all()


def test_white_gaussian_is_the_set_that_such_noise_gives() -> None:
    real = measured(0.03 * white_noise(3, SIDE, SIDE, seed=3))
    fitted = white_gaussian(real[Moments], real[NoiseByBrightness].pixels)
    drawn = measured(0.03 * white_noise(3, SIDE, SIDE, seed=4))
    # Two samples of 65536 pixels a channel, and their standard errors: see the tests of each statistic.
    np.testing.assert_allclose(fitted[Moments].std, drawn[Moments].std, rtol=10 / 362)
    np.testing.assert_allclose(fitted[NoiseByBrightness].std[8], drawn[NoiseByBrightness].std[8], rtol=10 / 362)
    np.testing.assert_allclose(
        fitted[SpatialCorrelation].autocorrelation, drawn[SpatialCorrelation].autocorrelation, atol=CORRELATION_ERROR
    )
    np.testing.assert_allclose(fitted[PowerSpectrum].power[4:], drawn[PowerSpectrum].power[4:], rtol=0.2)
    assert fitted[ResidualHistogram].counts.sum(1) == pytest.approx(SIDE**2)
    assert not fitted.measured
