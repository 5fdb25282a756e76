import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowkit_deflow.evaluation.measurement import measure
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantities.high_pass_gain import HighPassGain
from flowkit_deflow.evaluation.smoothing import high_pass_residual, smooth_reference
from tests.flowkit_deflow.evaluation.residuals import photograph, white_noise

IMAGE = photograph("coffee").double()[:, :200, :240]


@settings(deadline=None, max_examples=10)
@given(st.floats(-0.9, 2.0))
def test_sharpening_by_a_factor_is_found_again(gain: float) -> None:
    sharpened = IMAGE + gain * high_pass_residual(IMAGE)
    noisy = sharpened + 0.02 * white_noise(*IMAGE.shape)
    # The regression's error: 0.02 / (0.026 sqrt(144000)) = 0.002.
    assert measure([Pair(noisy, IMAGE)], [HighPassGain])[HighPassGain].gain == pytest.approx(gain, abs=0.01)


def test_blur_of_the_same_width_takes_all_detail() -> None:
    blurred = measure([Pair(smooth_reference(IMAGE), IMAGE)], [HighPassGain])[HighPassGain]
    assert blurred.gain == pytest.approx(-1, abs=1e-5)  # the high-pass is computed in single precision
