import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence

from flowkit_deflow.evaluation.spread_divergence import spread_divergence

STD = st.floats(0.01, 100.0)


@given(st.lists(st.tuples(STD, STD), min_size=1, max_size=5))
def test_it_is_the_mean_of_the_gaussians_divergences(pairs: list[tuple[float, float]]) -> None:
    real, other = (torch.tensor(values, dtype=torch.float64) for values in zip(*pairs, strict=True))
    zero = torch.zeros_like(real)
    expected = float(kl_divergence(Normal(zero, real), Normal(zero, other)).mean())
    assert spread_divergence(real.numpy(), other.numpy()) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_missing_noise_is_worse_than_too_much_and_none_at_all_is_impossible() -> None:
    real = np.array([2.0])
    assert spread_divergence(real, real / 2) > 2 * spread_divergence(real, real * 2)
    assert spread_divergence(real, np.zeros(1)) == math.inf
    assert spread_divergence(np.zeros(1), real) == math.inf


def test_what_neither_has_or_one_could_not_measure_is_left_out() -> None:
    real, other = np.array([1.0, 0.0, np.nan, 2.0]), np.array([1.0, 0.0, 3.0, np.nan])
    assert spread_divergence(real, other) == 0
    assert math.isnan(spread_divergence(real[1:], other[1:]))
