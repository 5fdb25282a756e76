import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flowkit_deflow.evaluation.divergence import conditional_kl, kl_divergence
from tests.flowkit_deflow.evaluation.residuals import gaussian_counts

COUNTS = hnp.arrays(np.float64, (3, 12), elements=st.integers(0, 1000).map(float)).filter(
    lambda counts: bool((counts.sum(1) > 0).all())
)


@settings(deadline=None)
@given(COUNTS, COUNTS, st.floats(0.01, 1000))
def test_kl_is_positive_zero_for_equals_and_blind_to_the_number_of_pixels(
    p: np.ndarray, q: np.ndarray, scale: float
) -> None:
    divergence = kl_divergence(p, q)
    # Rounding of sums of terms up to log(12 / 1e-6) = 16.
    assert -1e-12 < divergence < 16.4
    assert kl_divergence(p, p) == 0
    assert kl_divergence(scale * p, q) == pytest.approx(divergence, abs=1e-9)


@pytest.mark.parametrize(("shift", "ratio"), [(0.02, 1.0), (0.0, 1.5), (-0.01, 0.7)])
def test_kl_of_two_gaussians_is_the_known_one(shift: float, ratio: float) -> None:
    std = 0.05
    p, q = gaussian_counts(0, std), gaussian_counts(shift, ratio * std)
    known = math.log(ratio) + (1 + (shift / std) ** 2) / (2 * ratio**2) - 0.5
    # Bins of 1/255 hide (1/255)^2 / 12 of variance, 0.05%, and the smoothing bounds the far tails.
    assert kl_divergence(p, q) == pytest.approx(known, rel=0.01)


@pytest.mark.parametrize(
    ("p", "q", "message"),
    [
        (np.ones(3), np.ones(4), "both be"),
        (np.ones((2, 2, 2)), np.ones((2, 2, 2)), "both be"),
        (np.zeros(3), np.ones(3), "p_counts"),
        (np.ones(3), np.array([1.0, -1.0, 1.0]), "q_counts"),
    ],
)
def test_kl_refuses_what_is_no_histogram(p: np.ndarray, q: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kl_divergence(p, q)


def test_conditional_kl_is_the_weighted_mean_over_the_bins_asked_for() -> None:
    p = np.array([[[30.0, 10.0], [5.0, 5.0], [1.0, 0.0]]])
    q = np.array([[[1.0, 1.0], [1.0, 3.0], [0.0, 0.0]]])
    expected = 0.8 * kl_divergence(p[0, 0], q[0, 0]) + 0.2 * kl_divergence(p[0, 1], q[0, 1])
    assert conditional_kl(p, q, np.array([True, True, False])) == pytest.approx(expected, rel=1e-12)
    assert math.isnan(conditional_kl(p, q, np.zeros(3, dtype=bool)))
    with pytest.raises(ValueError, match="no pixels"):
        conditional_kl(p, q, np.ones(3, dtype=bool))
    with pytest.raises(ValueError, match="shapes"):
        conditional_kl(p, q, np.ones(2, dtype=bool))
