"""Roots of increasing functions: exact, in float32 and float64, differentiable, whatever the function."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from flowkit.ops import monotone_root
from flowkit.ops.normal_tails import lower_normal_quantile

DTYPE = torch.float64


def softened(x: Tensor, slope: Tensor | float) -> tuple[Tensor, Tensor]:
    """A line and a step at 1 of any steepness: ``x + 3 tanh(slope (x - 1))``."""
    tanh = torch.tanh(slope * (x - 1))
    return x + 3 * tanh, torch.log(1 + 3 * slope * (1 - tanh.square()))


@settings(deadline=None, max_examples=40)
@given(root=st.floats(-50, 50), slope=st.floats(0, 1000), before=st.floats(0, 1e4), behind=st.floats(0, 1e4))
def test_roots_are_found_to_rounding(root: float, slope: float, before: float, behind: float) -> None:
    x = torch.tensor(root, dtype=DTYPE)
    y, _ = softened(x, slope)
    found = monotone_root(lambda value: softened(value, slope), y, x - before, x + behind)
    # The value is rounded at 2e-16 of 53, and where the slope is 1 that is all of the root's error; the bracket's ends
    # are rounded at 2e-16 of 1e4. Newton's steps see a step of steepness 1000 in a bracket of 1e4 / 2^24.
    torch.testing.assert_close(found, x, rtol=1e-13, atol=1e-11)


def test_float32_gets_all_its_digits_whatever_the_slopes() -> None:
    x = torch.linspace(-5, 5, 1001)
    y, _ = softened(x, 300.0)
    found = monotone_root(lambda value: softened(value, 300.0), y, torch.full_like(x, -8.0), torch.full_like(x, 8.0))
    # Values are rounded by 5e-7, at slopes of 1 and more; the bracket's 16 / 2^24 are 1e-6.
    torch.testing.assert_close(found, x, rtol=0, atol=2e-6)


def test_a_false_slope_costs_digits_and_no_more() -> None:
    """The halvings alone find the root to 2^-24 of the bracket."""
    x = torch.linspace(-3, 3, 101, dtype=DTYPE)
    found = monotone_root(lambda v: (v**3 + v, torch.full_like(v, -20.0)), x**3 + x, x - 4, x + 4.1)
    torch.testing.assert_close(found, x, rtol=0, atol=8.1 / 2**24)


@pytest.mark.parametrize("end", ["lower", "upper"])
def test_a_bracket_without_the_root_gives_its_nearer_end(end: str) -> None:
    lower, upper = torch.zeros(3, dtype=DTYPE), torch.ones(3, dtype=DTYPE)
    target = torch.full_like(lower, -1.0 if end == "lower" else 5.0)
    found = monotone_root(lambda v: (v, torch.zeros_like(v)), target, lower, upper)
    torch.testing.assert_close(found, lower if end == "lower" else upper, rtol=0, atol=1e-7)


def test_a_bracket_of_width_zero_is_its_root() -> None:
    x = torch.randn(5, dtype=DTYPE)
    assert torch.equal(monotone_root(lambda v: (v**3, torch.zeros_like(v)), x**3, x, x), x)


def test_gradients_are_those_of_the_root() -> None:
    torch.manual_seed(0)
    root = torch.randn(4, dtype=DTYPE)
    slope = (0.5 + torch.rand(4, dtype=DTYPE)).requires_grad_()
    target = softened(root, slope)[0].detach().requires_grad_()

    def solve(target: Tensor, slope: Tensor) -> Tensor:
        return monotone_root(lambda v: softened(v, slope), target, root - 3, root + 3)

    assert torch.autograd.gradcheck(solve, (target, slope))
    assert torch.autograd.gradgradcheck(solve, (target, slope))


def test_it_is_the_same_under_vmap() -> None:
    y = torch.linspace(-5, 5, 7, dtype=DTYPE)

    def solve(y: Tensor) -> Tensor:
        return monotone_root(lambda v: softened(v, 2.0), y, y - 4, y + 4)

    torch.testing.assert_close(torch.func.vmap(solve)(y), solve(y), rtol=0, atol=1e-14)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-14), (torch.float32, 5e-6)])
def test_normal_quantiles_however_far_out(dtype: torch.dtype, tolerance: float) -> None:
    sizes = torch.logspace(-6, 4, 101, dtype=dtype)
    y = torch.cat([-sizes, torch.zeros(1, dtype=dtype)])
    found = lower_normal_quantile(torch.special.log_ndtr(y))
    assert float(((found - y).abs() / (1 + y.abs())).max()) < tolerance


def test_gradients_of_normal_quantiles() -> None:
    log_probability = torch.tensor([-1e4, -20.0, -2.0, -0.7], dtype=DTYPE, requires_grad=True)
    assert torch.autograd.gradcheck(lower_normal_quantile, (log_probability,))
    assert torch.autograd.gradgradcheck(lower_normal_quantile, (log_probability,))
