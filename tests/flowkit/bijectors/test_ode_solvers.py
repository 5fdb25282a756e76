import math
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from flowkit.bijectors.neural_ode import NeuralODE
from flowkit.bijectors.ode_solvers import AdjointDormandPrince, DormandPrince, ODESolver, RungeKutta4, State
from flowkit.nn.time_mlp import TimeMLP

ADAPTIVE = pytest.mark.parametrize("make", [DormandPrince, AdjointDormandPrince])


class Growth:
    """y' = t y in one part, u' = y + u in the other; the rate scales both."""

    def __init__(self, rate: Tensor | None = None) -> None:
        self.rate = torch.ones((), dtype=torch.float64) if rate is None else rate

    def __call__(self, t: Tensor, state: State) -> State:
        y, u = state
        return self.rate * t * y, self.rate * (y.sum(-1) + u)

    def tensors(self) -> State:
        return (self.rate,)

    def replaced(self, tensors: State) -> "Growth":
        return Growth(*tensors)


Y = torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=torch.float64)
U = torch.tensor([0.0, 1.0], dtype=torch.float64)


def first_part(start: float, end: float) -> Tensor:
    return Y * math.exp((end**2 - start**2) / 2)


@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (1.0, 0.0), (0.5, 2.0)])
def test_fixed_steps_gain_four_orders(start: float, end: float) -> None:
    errors = [
        (RungeKutta4(steps)(Growth(), (Y, U), start, end)[0] - first_part(start, end)).abs().max()
        for steps in (10, 20, 40)
    ]
    for coarse, fine in pairwise(errors):
        # 16 in the limit.
        assert 13 < coarse / fine < 20
    assert errors[-1] < 1e-5


@ADAPTIVE
@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (1.0, 0.0), (0.5, 2.0)])
@pytest.mark.parametrize("tolerance", [1e-4, 1e-7, None])
def test_adaptive_steps_keep_the_tolerance(
    make: Callable[[float | None], ODESolver], start: float, end: float, tolerance: float | None
) -> None:
    y, u = make(tolerance)(Growth(), (Y, U), start, end)
    assert y.shape == Y.shape
    assert u.shape == U.shape
    # Errors of a few steps add up and grow with the solution, by exp(2) at most.
    assert (y - first_part(start, end)).abs().max() < 20 * (3.7e-11 if tolerance is None else tolerance)


def test_the_default_tolerance_follows_the_type() -> None:
    for dtype, error in ((torch.float32, 1e-3), (torch.float64, 1e-9)):
        y, _ = DormandPrince()(Growth(torch.ones((), dtype=dtype)), (Y.to(dtype), U.to(dtype)), 0.0, 1.0)
        assert y.dtype == dtype
        assert (y - first_part(0, 1)).abs().max() < error


def evaluations(solver: ODESolver, batch: Tensor) -> int:
    calls: list[Tensor] = []

    class Counted(Growth):
        def __call__(self, t: Tensor, state: State) -> State:
            calls.append(t)
            return super().__call__(t, state)

    solver(Counted(), (batch, batch.sum(-1)), 0.0, 1.0)
    return len(calls)


def test_the_hardest_sample_sets_the_steps() -> None:
    # Not the mean over the batch: a large one among a hundred small ones keeps its accuracy.
    hard = torch.full((1, 2), 50.0, dtype=torch.float64)
    easy = torch.full((1, 2), 1e-6, dtype=torch.float64)
    solver = DormandPrince(1e-8)
    assert evaluations(solver, hard) > evaluations(solver, easy)
    assert evaluations(solver, torch.cat([easy] * 99 + [hard])) == evaluations(solver, hard)


@pytest.mark.parametrize("make", [lambda: RungeKutta4(30), DormandPrince, AdjointDormandPrince])
def test_gradients_by_state_and_parameters(make: Callable[[], ODESolver]) -> None:
    rate = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    y, u = Y.clone().requires_grad_(), U.clone().requires_grad_()

    def solution(y: Tensor, u: Tensor, rate: Tensor) -> State:
        return make()(Growth(rate), (y, u), 0.0, 1.0)

    assert torch.autograd.gradcheck(solution, (y, u, rate))


@ADAPTIVE
def test_steps_are_not_differentiated(make: Callable[[float], ODESolver]) -> None:
    times: list[Tensor] = []

    class Watched(Growth):
        def __call__(self, t: Tensor, state: State) -> State:
            times.append(t)
            return super().__call__(t, state)

        def replaced(self, tensors: State) -> Growth:
            return Watched(*tensors)

    make(1e-6)(Watched(), (Y.clone().requires_grad_(), U), 0.0, 1.0)
    assert not any(t.requires_grad for t in times)


@pytest.mark.parametrize("make", [lambda: RungeKutta4(3), DormandPrince, AdjointDormandPrince])
def test_a_field_that_vanishes_has_finite_gradients(make: Callable[[], ODESolver]) -> None:
    # An adaptive solver divides by norms of nothing here.
    field = TimeMLP(2, (3,)).double()
    nn.init.zeros_(field.rest[-1].weight)
    x = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
    z, log_det = NeuralODE(field, solver=make())(x)
    assert torch.equal(z, x)
    (z.sum() + log_det.sum()).backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, torch.ones_like(x))
    assert all(p.grad is not None and p.grad.isfinite().all() for p in field.parameters())


def gradients_by_functional_call(solver: ODESolver, swapped: dict[str, Tensor], context: Tensor) -> list[Tensor]:
    torch.manual_seed(0)
    layer = NeuralODE(TimeMLP(2, (4,), context_features=3), solver=solver).double()
    x = torch.randn(3, 2, dtype=torch.float64)
    z, log_det = torch.func.functional_call(layer, swapped, (x, context))
    # The backward pass runs when the layer has its own parameters back.
    return list(torch.autograd.grad(z.square().sum() + log_det.sum(), [context, *swapped.values()]))


def test_the_adjoint_follows_swapped_parameters_and_the_context() -> None:
    torch.manual_seed(1)
    donor = NeuralODE(TimeMLP(2, (4,), context_features=3), solver=RungeKutta4()).double()
    swapped = {name: (2 * p).detach().requires_grad_() for name, p in donor.named_parameters()}
    context = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    by_steps = gradients_by_functional_call(DormandPrince(), swapped, context)
    by_adjoint = gradients_by_functional_call(AdjointDormandPrince(), swapped, context)
    for step, adjoint in zip(by_steps, by_adjoint, strict=True):
        assert step.abs().max() > 1e-3
        # Either is within the tolerance of 4e-11 per step of the true one.
        torch.testing.assert_close(adjoint, step, rtol=1e-7, atol=1e-8)


def kept_numbers(solver: ODESolver) -> int:
    """How many numbers autograd keeps between forward and backward."""
    rate = torch.ones((), dtype=torch.float64, requires_grad=True)
    kept: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        solver(Growth(rate), (Y, U), 0.0, 1.0)
    return sum(kept)


def test_the_adjoint_keeps_no_steps() -> None:
    assert kept_numbers(AdjointDormandPrince(1e-10)) == kept_numbers(AdjointDormandPrince(1e-5))
    assert kept_numbers(DormandPrince(1e-10)) > 2 * kept_numbers(DormandPrince(1e-5))
    assert 10 * kept_numbers(AdjointDormandPrince(1e-10)) < kept_numbers(DormandPrince(1e-10))


@ADAPTIVE
def test_without_torchdiffeq_it_says_how_to_get_it(
    make: Callable[..., ODESolver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchdiffeq", None)
    for needs_it in (make, lambda: NeuralODE(TimeMLP(2, (3,)))):
        with pytest.raises(ImportError, match=r'pip install "flowkit-core\[ode\]"'):
            needs_it()
    layer = NeuralODE(TimeMLP(2, (3,)), solver=RungeKutta4(2))
    assert layer(torch.ones(1, 2))[0].shape == (1, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RungeKutta4(0), "steps is 0"),
        (lambda: DormandPrince(0.0), "tolerance is 0.0"),
        (lambda: AdjointDormandPrince(-1e-3), "tolerance is -0.001"),
    ],
)
def test_arguments_out_of_range_are_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
