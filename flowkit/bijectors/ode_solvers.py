"""Solvers of ordinary differential equations: adaptive ones by torchdiffeq, and one of fixed steps."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from flowkit.ops.private import transforms_are_active
from flowkit.recorded import Recorded

__all__ = ["AdjointDormandPrince", "DormandPrince", "Dynamics", "ODESolver", "RungeKutta4", "State"]

State = tuple[Tensor, ...]


class Dynamics(Protocol):
    r"""The right-hand side of :math:`\dot y = f(t, y, \theta)`."""

    def __call__(self, t: Tensor, state: State) -> State:
        """The state's derivative at a time ``t``, a tensor of no dimensions: tensors of the state's shapes."""

    def tensors(self) -> State:
        r"""What :math:`\theta` consists of: all that gradients may be wanted of besides the state."""

    def replaced(self, tensors: State) -> "Dynamics":
        r"""The same with another :math:`\theta`, which stays what it is, whatever becomes of the owner of the first."""


class ODESolver(Recorded, ABC):
    r"""A way to the solution at ``end`` of :math:`\dot y = f(t, y, \theta)` that starts from ``state`` at ``start``.

    Examples:
        >>> class Euler(ODESolver):
        ...     def __call__(self, dynamics, state, start, end):
        ...         slope = dynamics(torch.tensor(start), state)
        ...         return tuple(part + (end - start) * rate for part, rate in zip(state, slope))
        >>> Euler()(lambda t, state: state, (torch.ones(2),), 0.0, 0.5)
        (tensor([1.5000, 1.5000]),)
    """

    @abstractmethod
    def __call__(self, dynamics: Dynamics, state: State, start: float, end: float) -> State:
        """The solution.

        Args:
            dynamics: the right-hand side.
            state: the value at ``start``, a tuple of tensors of any shapes.
            start: where in time the state is given.
            end: where in time it is wanted, before or after ``start``.

        Returns:
            The state at ``end``.
        """


class RungeKutta4(ODESolver):
    r"""The classical Runge-Kutta method of fourth order, in a fixed number of equal steps.

    The cost is the same for every input, samples do not touch each other, gradients are those of the steps, and the
    whole can be compiled and mapped by ``torch.func``. What it does not do is look at its error, which is of the order
    :math:`h^4` for a step ``h``: up to that, the inverse undoes the map, and the log-determinant is the map's. Twice
    the steps, a sixteenth of the error: halve ``h`` until the round trip is as near as you need it.

    Args:
        steps: how many, at least 1; each evaluates the field four times.

    Raises:
        ValueError: fewer than one step.

    References:
        Kutta, "Beitrag zur naeherungsweisen Integration totaler Differentialgleichungen", 1901; Hairer, Norsett and
        Wanner, "Solving Ordinary Differential Equations I", 1993, section II.1.

    Examples:
        >>> from flowkit.bijectors.neural_ode import NeuralODE
        >>> from flowkit.nn.time_mlp import TimeMLP
        >>> layer = NeuralODE(TimeMLP(2, hidden=(16,)), solver=RungeKutta4(steps=10))
        >>> layer(torch.rand(5, 2))[0].shape
        torch.Size([5, 2])
    """

    def __init__(self, steps: int = 20) -> None:
        if steps < 1:
            raise ValueError(f"steps is {steps}; a solver needs at least 1")
        self.steps = steps

    def __call__(self, dynamics: Dynamics, state: State, start: float, end: float) -> State:
        """The solution after the steps."""
        h = (end - start) / self.steps

        def slope(t: float, at: State) -> State:
            return dynamics(at[0].new_full((), t), at)

        for i in range(self.steps):
            t = start + i * h
            k1 = slope(t, state)
            k2 = slope(t + h / 2, _moved(state, h / 2, k1))
            k3 = slope(t + h / 2, _moved(state, h / 2, k2))
            k4 = slope(t + h, _moved(state, h, k3))
            mean = tuple((a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(k1, k2, k3, k4, strict=True))
            state = _moved(state, h, mean)
        return state


class DormandPrince(ODESolver):
    r"""The Runge-Kutta method of Dormand and Prince, of fifth order, with steps of adapted size: torchdiffeq's.

    A step is taken if the estimated error of every number of every sample is at most :math:`\epsilon (1 + |y|)`. The
    hardest sample of a batch thereby sets the steps of all, and samples touch each other by as much as the tolerance.
    The steps depend on values, so ``torch.compile`` breaks its graph here and ``torch.func`` cannot pass: for either
    take :class:`RungeKutta4`. Gradients are those of the steps, which are all kept in memory.

    Args:
        tolerance: :math:`\epsilon > 0`; ``None`` for two thirds of the digits that the data's type has, which is
            2.4e-5 in float32 and 3.7e-11 in float64.

    Raises:
        ImportError: torchdiffeq is not installed.
        ValueError: the tolerance is not positive.
        RuntimeError: (when called) a transform of ``torch.func`` is active.

    References:
        Dormand and Prince, "A family of embedded Runge-Kutta formulae", 1980.

    Examples:
        >>> from flowkit.bijectors.neural_ode import NeuralODE
        >>> from flowkit.nn.time_mlp import TimeMLP
        >>> layer = NeuralODE(TimeMLP(2, hidden=(16,)), solver=DormandPrince(tolerance=1e-5))
        >>> layer(torch.rand(5, 2))[0].shape
        torch.Size([5, 2])
    """

    def __init__(self, tolerance: float | None = None) -> None:
        if tolerance is not None and not tolerance > 0:
            raise ValueError(f"tolerance is {tolerance}; it must be greater than 0")
        self.tolerance = tolerance
        _torchdiffeq()

    def __call__(self, dynamics: Dynamics, state: State, start: float, end: float) -> State:
        """The solution within the tolerance; of an empty batch, and on the meta device, its shapes alone."""
        if transforms_are_active():
            raise RuntimeError(
                f"{type(self).__name__} adapts its steps to values, which torch.func (vmap, grad, ...) hides: take "
                "RungeKutta4, as ffjord(..., steps=20) does"
            )
        if state[0].is_meta or not state[0].numel():
            # The steps depend on values, of which there are none: a single evaluation gives the shapes.
            return _moved(state, end - start, dynamics(state[0].new_full((), start), state))
        tolerance = torch.finfo(state[0].dtype).eps ** (2 / 3) if self.tolerance is None else self.tolerance
        times = torch.tensor([start, end], dtype=torch.float64, device=state[0].device)
        solution = self._solution(dynamics, state, times, tolerance)
        return tuple(part[-1] for part in solution)

    def _solution(self, dynamics: Dynamics, state: State, times: Tensor, tolerance: float) -> State:
        """The states at both times, stacked."""
        options = _options(times) | {"norm": _largest}
        # One for each part: compiled by torch before 2.9, torchdiffeq fails to ask whether a number is iterable.
        tolerances = (tolerance,) * len(state)
        return _torchdiffeq().odeint(
            dynamics, state, times, rtol=tolerances, atol=tolerances, method="dopri5", options=options
        )


class AdjointDormandPrince(DormandPrince):
    """As :class:`DormandPrince`, with gradients of the adjoint equation, solved backwards in time.

    The memory does not grow with the number of steps. The gradients are those of the solution within the tolerance, not
    those of the steps, and cannot be differentiated again.

    Args:
        tolerance: as there; of the backward solution too.

    Raises:
        ImportError: as there.
        ValueError: as there.

    References:
        Chen, Rubanova, Bettencourt and Duvenaud, "Neural Ordinary Differential Equations", NeurIPS 2018, algorithm 1;
        Kidger, Chen and Lyons, "Hey, that's not an ODE: Faster ODE Adjoints via Seminorms", ICML 2021 (the backward
        steps are set by state and adjoint, not by the parameters' gradients, which are mere sums along the way).

    Examples:
        >>> from flowkit.bijectors.neural_ode import NeuralODE
        >>> from flowkit.nn.time_mlp import TimeMLP
        >>> layer = NeuralODE(TimeMLP(2, hidden=(16,)), solver=AdjointDormandPrince(tolerance=1e-5))
        >>> layer(torch.rand(5, 2))[0].sum().backward()
    """

    def _solution(self, dynamics: Dynamics, state: State, times: Tensor, tolerance: float) -> State:
        if not torch.is_grad_enabled():
            return super()._solution(dynamics, state, times, tolerance)

        def solution(*tensors: Tensor) -> State:
            state_, others = tensors[: len(state)], tensors[len(state) :]
            return _torchdiffeq().odeint_adjoint(
                dynamics.replaced(others),
                state_,
                times,
                rtol=tolerance,
                atol=tolerance,
                method="dopri5",
                options=_options(times) | {"norm": _largest},
                adjoint_params=others,
                adjoint_options=_options(times.flip(0)) | {"norm": "seminorm"},
            )

        return _Cut.apply(solution, *state, *dynamics.tensors())


class _Cut(torch.autograd.Function):
    """A function whose graph begins at its arguments.

    torchdiffeq's adjoint asks autograd for the gradients of all parameters at once: of one that another depends on
    (a weight, and what was prepared with it) it would get the other's share too, which then comes a second time.
    """

    @staticmethod
    def forward(ctx: Any, function: Callable[..., State], *arguments: Tensor) -> State:
        ctx.arguments = [argument.detach().requires_grad_(argument.requires_grad) for argument in arguments]
        with torch.enable_grad():
            ctx.results = function(*ctx.arguments)
        return tuple(result.detach() for result in ctx.results)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        wanted = [argument for argument in ctx.arguments if argument.requires_grad]
        found = iter(torch.autograd.grad(ctx.results, wanted, gradients, retain_graph=True))
        return None, *(next(found) if argument.requires_grad else None for argument in ctx.arguments)


def _options(times: Tensor) -> dict[str, Any]:
    start, end = times.tolist()
    return {
        # A first step guessed from the data would be differentiated along with the solution. A tenth of the way is
        # about right; else it is tried again, and the next ones adapt.
        "first_step": abs(end - start) / 10,
        # The last step is to end where the solution is wanted: interpolation within a step is less accurate.
        "step_t": times[-1:],
    }


def _largest(errors: State) -> Tensor:
    return torch.stack([error.abs().max() for error in errors]).max()


def _moved(state: State, h: float, slope: State) -> State:
    return tuple(part + h * change for part, change in zip(state, slope, strict=True))


def _torchdiffeq() -> Any:
    """The package, which is needed here alone: flowkit works without it."""
    try:
        import torchdiffeq
    except ImportError as error:
        raise ImportError(
            'the adaptive ODE solvers need torchdiffeq: pip install "flowkit-core[ode]", or use RungeKutta4'
        ) from error
    return torchdiffeq
