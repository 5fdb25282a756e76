import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flowkit_deflow.evaluation.log_bins import LogBins

BINS = LogBins(lowest=0.01, octaves=8, per_octave=16)


@settings(deadline=None)
@given(st.floats(0.011, 2.5))
def test_a_value_lies_between_the_edges_of_its_bin(value: float) -> None:
    index = int(BINS.index(torch.tensor(value, dtype=torch.float64)))
    # At an edge, rounding decides.
    assert BINS.edges[index] * (1 - 1e-12) <= value <= BINS.edges[index + 1] * (1 + 1e-12)


@settings(deadline=None)
@given(st.floats(-3.0, 0.0), st.floats(0.1, 1.0), st.integers(0, 1000))
def test_quantiles_of_a_stream_are_those_of_its_values(mean: float, spread: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    values = (mean + spread * torch.randn(5000, generator=generator, dtype=torch.float64)).exp().clamp(0.011, 2.5)
    counts = torch.bincount(BINS.index(values), minlength=BINS.count).double().numpy()
    levels = np.array([0.1, 0.5, 0.9])
    # Within the width of a bin, 2^(1/16).
    np.testing.assert_allclose(BINS.quantiles(counts, levels), np.quantile(values.numpy(), levels), rtol=0.045)


def test_nothing_has_no_quantiles() -> None:
    assert np.isnan(BINS.quantiles(np.zeros(BINS.count), np.array([0.5]))).all()


@pytest.mark.parametrize("number", [2, 5])
def test_groups_hold_equally_many_values(number: int) -> None:
    counts = np.random.default_rng(0).integers(0, 100, BINS.count).astype(np.float64)
    shares = np.bincount(BINS.groups(counts, number), counts, number) / counts.sum()
    # A bin, at most 100 of about 6,400 values, goes to one side of a boundary.
    np.testing.assert_allclose(shares, 1 / number, atol=100 / counts.sum())
