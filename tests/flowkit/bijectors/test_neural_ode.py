import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from flowkit.bijectors.neural_ode import NeuralODE
from flowkit.bijectors.ode_solvers import AdjointDormandPrince, DormandPrince, ODESolver, RungeKutta4
from flowkit.bijectors.traces import ExactTrace, HutchinsonTrace
from flowkit.nn.time_mlp import TimeMLP

SOLVERS = pytest.mark.parametrize(
    "solver", [RungeKutta4(30), DormandPrince(), AdjointDormandPrince()], ids=lambda s: type(s).__name__
)

MATRIX = 0.5 * torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


class Linear(nn.Module):
    """x' = A x + c cos(t), of which the flow is known."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(MATRIX.clone())

    def forward(self, t: Tensor, x: Tensor, context: Tensor | None = None) -> Tensor:
        velocity = x @ self.matrix.T
        return velocity if context is None else velocity + context * torch.cos(t)


# --- flows that are known ---------------------------------------------------------------------------------------------

# RungeKutta4(30) is off by (1/30)^4 / 100 for these rates of order 1, the adaptive ones by far less.
KNOWN = {"rtol": 1e-7, "atol": 1e-7}


@SOLVERS
@pytest.mark.parametrize("time", [0.3, 1.0, 1.5])
def test_a_linear_field_flows_as_the_matrix_exponential(solver: ODESolver, time: float) -> None:
    layer = NeuralODE(Linear(), time=time, solver=solver)
    x = torch.randn(4, 3, dtype=torch.float64)
    z, log_det = layer(x)
    torch.testing.assert_close(z, x @ torch.linalg.matrix_exp(time * MATRIX).T, **KNOWN)
    torch.testing.assert_close(log_det, time * MATRIX.trace().expand(4), **KNOWN)
    back, backward = layer.inverse(z)
    torch.testing.assert_close(back, x, **KNOWN)
    torch.testing.assert_close(backward, -log_det, **KNOWN)


@SOLVERS
def test_time_and_context_reach_the_field(solver: ODESolver) -> None:
    field = Linear()
    nn.init.zeros_(field.matrix)
    layer = NeuralODE(field, time=1.5, solver=solver)
    x, context = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    z, log_det = layer(x, context)
    torch.testing.assert_close(z, x + context * torch.sin(torch.tensor(1.5, dtype=torch.float64)), **KNOWN)
    torch.testing.assert_close(log_det, torch.zeros(4, dtype=torch.float64), **KNOWN)
    # Backwards it is the same field, from the same end of time.
    torch.testing.assert_close(layer.inverse(z, context)[0], x, **KNOWN)


class Swirl(nn.Module):
    """A field of images, without ``prepare``."""

    def forward(self, t: Tensor, x: Tensor) -> Tensor:
        return torch.sin(x.roll(1, -1) + x + t)


@SOLVERS
def test_images(solver: ODESolver) -> None:
    layer = NeuralODE(Swirl(), time=0.5, solver=solver, event_dims=3)
    x = torch.randn(2, 2, 1, 2, 3, dtype=torch.float64)
    z, log_det = layer(x)
    assert log_det.shape == (2, 2)
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x)[0], x[1, 0]).reshape(6, 6)
    torch.testing.assert_close(log_det[1, 0], torch.linalg.slogdet(jacobian).logabsdet, **KNOWN)
    torch.testing.assert_close(layer.inverse(z)[0], x, **KNOWN)


# --- traces -----------------------------------------------------------------------------------------------------------


def test_hutchinsons_trace_is_for_training_alone() -> None:
    torch.manual_seed(0)
    field = TimeMLP(3, (5,)).double()
    exact = NeuralODE(field, solver=RungeKutta4(3))
    layer = NeuralODE(field, HutchinsonTrace(), solver=RungeKutta4(3))
    x = torch.randn(4, 3, dtype=torch.float64)
    state = torch.get_rng_state()
    layer.eval()
    assert torch.equal(layer(x)[1], exact(x)[1])
    assert torch.equal(layer.inverse(x)[1], exact.inverse(x)[1])
    assert torch.equal(torch.get_rng_state(), state)
    layer.train()
    drawn = [layer(x)[1] for _ in range(2)]
    assert not torch.equal(*drawn)
    torch.set_rng_state(state)
    assert torch.equal(layer(x)[1], drawn[0])


def test_the_random_log_determinant_is_unbiased() -> None:
    torch.manual_seed(0)
    field = TimeMLP(3, (5,)).double()
    field.rest[-1].weight.data.normal_()
    draws = 4000
    x = torch.randn(1, 3, dtype=torch.float64).expand(draws, 3)
    _, drawn = NeuralODE(field, HutchinsonTrace(), solver=RungeKutta4(5))(x)
    _, exact = NeuralODE(field, ExactTrace(), solver=RungeKutta4(5))(x[:1])
    assert drawn.std() > 0.05
    # Four standard errors.
    assert (drawn.mean() - exact).abs() < 4 * drawn.std() / draws**0.5


# --- with PyTorch -----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Dynamo does not know how to trace")
@pytest.mark.parametrize("adaptive", [False, True])
def test_it_compiles_with_graph_breaks_at_most(adaptive: bool) -> None:
    torch.manual_seed(0)
    solver: ODESolver = DormandPrince(1e-3) if adaptive else RungeKutta4(1)
    layer = NeuralODE(TimeMLP(2, (3,)), solver=solver).double()
    x = torch.randn(4, 2, dtype=torch.float64)
    compiled = torch.compile(layer, backend="eager", fullgraph=not adaptive)
    torch.testing.assert_close(compiled(x), layer(x))


def test_torch_func_passes_fixed_steps() -> None:
    torch.manual_seed(0)
    layer = NeuralODE(TimeMLP(2, (3,)), solver=RungeKutta4(3)).double()
    x = torch.randn(4, 2, dtype=torch.float64)
    torch.testing.assert_close(torch.func.vmap(layer)(x), layer(x))
    jacobians = torch.func.vmap(torch.func.jacrev(lambda x: layer(x)[0]))(x)
    expected = torch.stack([torch.autograd.functional.jacobian(lambda x: layer(x)[0], one) for one in x])
    torch.testing.assert_close(jacobians, expected)


@SOLVERS
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_runs_where_no_gradients_are_kept(solver: ODESolver, mode: type[torch.no_grad]) -> None:
    torch.manual_seed(0)
    layer = NeuralODE(TimeMLP(2, (3,)), solver=solver).double()
    with mode():
        x = torch.randn(4, 2, dtype=torch.float64)
        z, log_det = layer(x)
        back, _ = layer.inverse(z)
    assert not log_det.requires_grad
    torch.testing.assert_close(log_det, layer(x.clone())[1].detach(), **KNOWN)
    torch.testing.assert_close(back, x, **KNOWN)


@SOLVERS
def test_of_an_empty_batch_nothing_is_made(solver: ODESolver) -> None:
    layer = NeuralODE(TimeMLP(2, (3,)), HutchinsonTrace(), solver=solver)
    for direction in (layer, layer.inverse):
        z, log_det = direction(torch.zeros(0, 2))
        assert (z.shape, log_det.shape) == ((0, 2), (0,))
        (z.sum() + log_det.sum()).backward()
    assert all(not parameter.grad.any() for parameter in layer.parameters())


@pytest.mark.parametrize("solver", [DormandPrince(), AdjointDormandPrince()], ids=lambda s: type(s).__name__)
def test_adaptive_solvers_say_what_to_use_under_torch_func(solver: ODESolver) -> None:
    layer = NeuralODE(TimeMLP(2, (3,)), solver=solver)
    with pytest.raises(RuntimeError, match=f"{type(solver).__name__} adapts its steps .* take RungeKutta4"):
        torch.func.vmap(layer)(torch.randn(4, 2))
    with pytest.raises(RuntimeError, match="take RungeKutta4"):
        torch.func.grad(lambda x: layer(x)[1].sum())(torch.randn(4, 2))


@SOLVERS
def test_half_precision_stays_out_of_the_solution(solver: ODESolver) -> None:
    torch.manual_seed(0)
    layer = NeuralODE(TimeMLP(2, (8,)), solver=solver)
    x = torch.randn(4, 2)
    expected = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z, log_det = layer(x)
    assert torch.equal(z, expected[0])
    assert torch.equal(log_det, expected[1])


@SOLVERS
def test_a_pickled_layer_is_the_same(solver: ODESolver) -> None:
    layer = NeuralODE(TimeMLP(2, (3,)), HutchinsonTrace(), solver=solver).eval()
    x = torch.randn(4, 2)
    assert torch.equal(pickle.loads(pickle.dumps(layer))(x)[0], layer(x)[0])


def test_neighbours_touch_by_no_more_than_the_tolerance() -> None:
    torch.manual_seed(0)
    field = TimeMLP(2, (6,)).double()
    for parameter in field.parameters():
        parameter.data.normal_()
    layer = NeuralODE(field, solver=DormandPrince(1e-8))
    easy, hard = torch.zeros(1, 2, dtype=torch.float64), torch.full((1, 2), 3.0, dtype=torch.float64)
    alone, log_det = layer(easy)
    together, with_it = layer(torch.cat([easy, hard]))
    torch.testing.assert_close(together[:1], alone, rtol=0, atol=1e-7)
    torch.testing.assert_close(with_it[:1], log_det, rtol=0, atol=1e-7)


# --- refusals ---------------------------------------------------------------------------------------------------------


@SOLVERS
def test_a_context_of_more_samples_than_the_data_is_refused(solver: ODESolver) -> None:
    layer = NeuralODE(TimeMLP(2, (3,), context_features=1), solver=solver)
    with pytest.raises(ValueError, match=r"1 rows of data and a context of shape \(7, 1\) do not fit"):
        layer(torch.ones(1, 2), torch.ones(7, 1))


@pytest.mark.parametrize("time", [0.0, -1.0, float("nan")])
def test_a_time_that_is_not_positive_is_refused(time: float) -> None:
    with pytest.raises(ValueError, match=f"time is {time}"):
        NeuralODE(Swirl(), time=time, solver=RungeKutta4())


def test_flowkit_needs_no_torchdiffeq_to_be_imported() -> None:
    program = """
        import sys
        sys.modules["torchdiffeq"] = None
        import torch
        import flowkit
        from flowkit.bijectors.neural_ode import NeuralODE
        from flowkit.bijectors.ode_solvers import RungeKutta4
        from flowkit.nn.time_mlp import TimeMLP
        NeuralODE(TimeMLP(2, (3,)), solver=RungeKutta4(2)).inverse(torch.ones(1, 2))
        try:
            NeuralODE(TimeMLP(2, (3,)))
        except ImportError as error:
            print(error)
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert 'pip install "flowkit-core[ode]"' in run.stdout


def test_the_default_solver_is_adaptive() -> None:
    make: Callable[[], NeuralODE] = lambda: NeuralODE(TimeMLP(2, (3,)))  # noqa: E731
    assert isinstance(make().solver, DormandPrince)
