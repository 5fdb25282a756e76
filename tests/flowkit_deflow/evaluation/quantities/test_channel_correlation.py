import math

import numpy as np

from flowkit_deflow.evaluation.quantities.noise_level import Moments
from tests.flowkit_deflow.evaluation.residuals import CORRELATION_ERROR, SIDE, measured, white_noise


def test_channels_that_share_noise_are_correlated() -> None:
    shared, own = white_noise(1, SIDE, SIDE), white_noise(3, SIDE, SIDE, seed=1)
    result = measured(0.03 * (shared + own))
    expected = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    np.testing.assert_allclose(result[Moments].correlation, expected, atol=math.sqrt(3) * CORRELATION_ERROR)
