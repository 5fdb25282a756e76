import pytest
import torch
from torch import Tensor

from flowkit.bijectors.traces import ExactTrace, HutchinsonTrace, Trace

MATRIX = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
POINTS = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(2, 3)


def field(x: Tensor) -> Tensor:
    return torch.tanh(x @ MATRIX.T)


def true_trace(x: Tensor) -> Tensor:
    return torch.stack([torch.autograd.functional.jacobian(field, one).trace() for one in x])


@pytest.mark.parametrize("trace", [ExactTrace(), HutchinsonTrace()], ids=lambda t: type(t).__name__)
def test_the_velocity_is_the_fields(trace: Trace) -> None:
    velocity, rate = trace.draw(POINTS)(field, POINTS)
    torch.testing.assert_close(velocity, field(POINTS))
    assert rate.shape == (2,)
    assert rate.dtype == torch.float64


def test_the_exact_trace_is_the_jacobians() -> None:
    torch.testing.assert_close(ExactTrace()(field, POINTS)[1], true_trace(POINTS))
    images = POINTS.reshape(2, 1, 3)
    torch.testing.assert_close(ExactTrace()(field, images, event_dims=2)[1], true_trace(POINTS))


@pytest.mark.parametrize("gaussian", [False, True])
def test_hutchinsons_is_unbiased_with_the_variance_of_theory(gaussian: bool) -> None:
    torch.manual_seed(0)
    draws = 20000
    trace = HutchinsonTrace(torch.randn_like) if gaussian else HutchinsonTrace()
    _, drawn = trace(lambda x: x @ MATRIX.T, POINTS[:1].expand(draws, 3))
    symmetric = (MATRIX + MATRIX.T) / 2
    squares = symmetric.square() if gaussian else (symmetric - symmetric.diagonal().diag()).square()
    variance = 2 * squares.sum()
    # Four standard errors; the spread of 20000 draws is known to a few per cent.
    assert (drawn.mean() - MATRIX.trace()).abs() < 4 * (variance / draws).sqrt()
    torch.testing.assert_close(drawn.var(), variance, rtol=0.1, atol=0)


def test_one_draw_serves_a_whole_solution() -> None:
    torch.manual_seed(0)
    drawn = HutchinsonTrace().draw(POINTS)
    assert torch.equal(drawn(field, POINTS)[1], drawn(field, POINTS)[1])
    assert drawn.draw(POINTS) is drawn
    trace = HutchinsonTrace()
    assert not torch.equal(trace(field, POINTS)[1], trace(field, POINTS)[1])


def test_the_exact_trace_draws_nothing() -> None:
    state = torch.get_rng_state()
    ExactTrace().draw(POINTS)(field, POINTS)
    assert torch.equal(torch.get_rng_state(), state)
