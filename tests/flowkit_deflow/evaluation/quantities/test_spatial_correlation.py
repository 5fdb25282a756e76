import numpy as np
import pytest

from flowkit_deflow.evaluation.quantities.spatial_correlation import SpatialCorrelation
from flowkit_deflow.evaluation.quantities.spectrum import FREQUENCIES, PowerSpectrum
from tests.flowkit_deflow.evaluation.residuals import CORRELATION_ERROR, SIDE, measured, white_noise


@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_blurred_noise_has_the_known_neighbour_correlation(weight: float) -> None:
    noise = white_noise(3, SIDE, SIDE + 1)
    result = measured(0.04 * (noise[..., 1:] + weight * noise[..., :-1]))
    known = weight / (1 + weight**2)
    assert result[SpatialCorrelation].autocorrelation[0, 1] == pytest.approx(known, abs=CORRELATION_ERROR)
    # The sums' own correlation widens the errors of the others, by less than 2.
    assert result[SpatialCorrelation].autocorrelation[1, 0] == pytest.approx(0, abs=2 * CORRELATION_ERROR)
    assert result[SpatialCorrelation].autocorrelation[0, 2] == pytest.approx(0, abs=2 * CORRELATION_ERROR)
    assert result[SpatialCorrelation].lag1 == pytest.approx(known / 2, abs=2 * CORRELATION_ERROR)
    cosine = np.cos(2 * np.pi * FREQUENCIES)
    # Along one axis the power is s^2 (1 + w^2 + 2 w cos); a ring's mean lies between that and the white axis's.
    white, along = 0.04**2 * (1 + weight) ** 2, 0.04**2 * (1 + weight**2 + 2 * weight * cosine)
    assert (result[PowerSpectrum].power[4:] < 1.15 * white).all()
    assert (result[PowerSpectrum].power[4:] > 0.85 * along[4:]).all()


@pytest.mark.parametrize("shape", [(3, 20, 31), (3, 5, 12), (3, 1, 1)])
def test_autocorrelation_is_the_direct_sum(shape: tuple[int, int, int]) -> None:
    residuals = [0.1 * white_noise(*shape), 0.1 * white_noise(shape[0], shape[2], shape[1], seed=1)]
    result = measured(*residuals)
    direct = np.full((9, 9), np.nan)
    for dy in range(9):
        for dx in range(9):
            total, count = 0.0, 0
            for residual in residuals:
                r = (residual - residual.mean((1, 2), keepdim=True)).numpy()
                if dy < r.shape[1] and dx < r.shape[2]:
                    products = r[:, dy:, dx:] * r[:, : r.shape[1] - dy, : r.shape[2] - dx]
                    total, count = total + products.sum(), count + products.size
            if count:
                direct[dy, dx] = total / count
    if shape == (3, 1, 1):
        assert np.isnan(result[SpatialCorrelation].autocorrelation).all()
    else:
        np.testing.assert_allclose(result[SpatialCorrelation].autocorrelation, direct / direct[0, 0], atol=1e-10)
