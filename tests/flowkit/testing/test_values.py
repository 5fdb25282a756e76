import math

import pytest
import torch

from flowkit.bijectors import REAL_LINE
from flowkit.testing import ContractViolation
from flowkit.testing.values import apply_to, difference, draw_within, equal, tensors, unflatten_event

INF = math.inf
NAN = math.nan


def one(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


class TestDifference:
    def test_absolute_below_one_and_relative_above(self) -> None:
        assert difference(one(0.0, 1e6), one(1e-3, 1e6), "it") == pytest.approx(1e-3, rel=1e-2)
        assert difference(one(1e6 + 1), one(1e6), "it") == pytest.approx(1e-6, rel=1e-2)

    def test_the_worst_of_all_parts(self) -> None:
        assert difference((one(1.0), one(2.0)), (one(1.0), one(5.0)), "it") == 0.5

    @pytest.mark.parametrize("wrong", [NAN, INF, -INF])
    def test_nonfinite_values_never_match(self, wrong: float) -> None:
        # A comparison with a tolerance is false for either.
        assert not difference(one(wrong, 0.0), one(1.0, 0.0), "it") <= 1.0
        assert not difference(one(wrong), one(wrong), "it") <= 1.0
        assert not difference(one(1.0), one(wrong), "it") <= 1.0

    def test_other_shapes_and_structures_are_named(self) -> None:
        with pytest.raises(ContractViolation, match=r"it has the shape \(2,\), \(3,\) is expected"):
            difference(torch.ones(2), torch.ones(3), "it")
        with pytest.raises(ContractViolation, match="it has the shape None"):
            difference(None, torch.ones(3), "it")
        with pytest.raises(ContractViolation, match="got a float"):
            difference(1.0, torch.ones(3), "it")

    def test_nothing_differs_in_nothing(self) -> None:
        assert difference(torch.ones(0, 3), torch.ones(0, 3), "it") == 0.0


def test_equal_is_to_the_last_bit_and_knows_nan() -> None:
    assert equal(one(NAN, 1.0), one(NAN, 1.0))
    assert not equal(one(1.0), one(1.0 + 1e-15))
    assert not equal((one(1.0),), (one(1.0), one(1.0)))
    assert equal(None, None)


def test_structure_is_kept() -> None:
    value = (one(1.0), (one(2.0), one(3.0)))
    assert [float(t) for t in tensors(value)] == [1.0, 2.0, 3.0]
    assert equal(unflatten_event(value, [t + 1 for t in tensors(value)]), apply_to(value, lambda t: t + 1))
    assert apply_to(None, torch.neg) is None


class TestDrawWithin:
    @pytest.mark.parametrize(
        "interval",
        [
            REAL_LINE,
            (0.0, INF),
            (-INF, 0.0),
            (0.0, 1.0),
            (-1.0, 1.0),
            (2.0, 2.5),
            (-INF, 709.0),
            (-700.0, 700.0),
            (5.0, 1e30),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
    def test_well_inside(self, interval: tuple[float, float], dtype: torch.dtype) -> None:
        x = draw_within(interval, (1000,), (2,), dtype, torch.Generator().manual_seed(0))
        assert x.shape == (2, 1000)
        assert x.dtype == dtype
        lower, upper = interval
        margin = 0.01 * min(1.0, upper - lower)
        assert bool(((x > lower + margin) & (x < upper - margin)).all())
        # Of order one, seen from the end, and spread.
        assert float((x - max(lower, -10.0 if lower < -10 else lower)).abs().max()) < 20
        assert len(x.unique()) > 1900

    def test_tuples_of_shapes(self) -> None:
        parts = draw_within(REAL_LINE, ((2,), (3, 1)), (4,), torch.float64, torch.Generator())
        assert [tuple(part.shape) for part in parts] == [(4, 2), (4, 3, 1)]
