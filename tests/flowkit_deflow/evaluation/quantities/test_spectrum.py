import math

import numpy as np
import pytest
import torch

from flowkit_deflow.evaluation.quantities.counts import Counts
from flowkit_deflow.evaluation.quantities.spectrum import FREQUENCIES, PowerSpectrum
from tests.flowkit_deflow.evaluation.residuals import SIDE, measured, white_noise


def test_spectrum_of_white_noise_is_flat_at_the_variance() -> None:
    result = measured(*(0.04 * white_noise(3, SIDE, SIDE, seed=seed) for seed in range(4)))
    # 192 patches: the lowest bin holds one frequency (error 1 / sqrt(192) = 7%), the others eight or more.
    np.testing.assert_allclose(result[PowerSpectrum].power[0], 0.04**2, rtol=0.3)
    np.testing.assert_allclose(result[PowerSpectrum].power[1:], 0.04**2, rtol=0.12)
    assert result[PowerSpectrum].power.mean() == pytest.approx(0.04**2, rel=0.02)


@pytest.mark.parametrize("side", [16, 40, 64, 100])
def test_spectrum_of_a_wave_is_its_variance_at_its_frequency(side: int) -> None:
    columns = torch.arange(side, dtype=torch.float64)
    result = measured(0.1 * torch.cos(2 * math.pi * 0.25 * columns).expand(3, side, side))
    measured_bins = np.isfinite(result[PowerSpectrum].power)
    assert abs(FREQUENCIES[np.nanargmax(result[PowerSpectrum].power)] - 0.25) < 1.5 / min(side, 64)
    # A Hann window leaks to the next frequencies but one at most; a quarter of the band away there is nothing.
    far = measured_bins & (np.abs(FREQUENCIES - 0.25) > 4 / min(side, 64))
    assert result[PowerSpectrum].power[far].max(initial=0) < 1e-6 * np.nanmax(result[PowerSpectrum].power)


def test_the_mean_over_all_frequencies_is_the_variance() -> None:
    # A single peaked pixel in every patch has the same power at every frequency: the bins must show it exactly.
    residual = torch.zeros(3, 128, 128, dtype=torch.float64)
    residual[:, 32::64, 32::64] = 0.5
    centred = residual - residual.mean()
    result = measured(residual)
    window = torch.outer(*(torch.hann_window(64, dtype=torch.float64),) * 2)
    expected = (centred[0, :64, :64] * window).square().sum() / window.square().sum()
    np.testing.assert_allclose(result[PowerSpectrum].power[8:], float(expected), rtol=0.05)


def test_an_image_under_16_pixels_counts_in_everything_but_the_spectrum() -> None:
    large, small = 0.04 * white_noise(3, 64, 64), 0.04 * white_noise(3, 15, 40, seed=1)
    both, alone = measured(large, small), measured(large)
    np.testing.assert_array_equal(both[PowerSpectrum].power, alone[PowerSpectrum].power)
    assert both[Counts].pixels == alone[Counts].pixels + 15 * 40
    assert np.isnan(measured(small)[PowerSpectrum].power).all()
