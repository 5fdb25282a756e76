import math

import numpy as np
import pytest
import torch

from flowkit_deflow.evaluation.image_set import ImageSets
from flowkit_deflow.evaluation.quantities.frequency_bands import BAND_AMPLITUDE, BANDS
from tests.flowkit_deflow.evaluation.residuals import SIDE, measured, white_noise


def test_white_noise_has_its_deviation_in_every_band() -> None:
    images = measured(*(0.04 * white_noise(3, SIDE, SIDE, seed=seed) for seed in range(4)))
    # The lowest band holds a dozen frequencies of 192 patches: an error of 2% of the power and more.
    np.testing.assert_allclose(BAND_AMPLITUDE.of(images, ImageSets(images, images, ())), 0.04, rtol=0.06)


@pytest.mark.parametrize("band", range(1, len(BANDS)))
def test_a_wave_is_in_its_band(band: int) -> None:
    frequency = sum(BANDS[band]) / 2
    wave = torch.cos(2 * math.pi * frequency * torch.arange(SIDE, dtype=torch.float64))
    images = measured(0.1 * wave.expand(3, SIDE, SIDE))
    amplitudes = np.asarray(BAND_AMPLITUDE.of(images, ImageSets(images, images, ())))
    assert amplitudes.argmax() == band
