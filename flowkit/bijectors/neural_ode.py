"""A continuous bijector: the flow of a vector field."""

from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Bijector, sum_event
from flowkit.bijectors.conditioner import prepare_conditioner
from flowkit.bijectors.jacobian import out_of_inference_mode
from flowkit.bijectors.ode_solvers import DormandPrince, ODESolver, State
from flowkit.bijectors.traces import ExactTrace, Trace
from flowkit.counts import require_counts
from flowkit.half_precision import full_precision_state, map_floating
from flowkit.ops.precision import at_least_float32, without_autocast
from flowkit.ops.private import pytree

__all__ = ["NeuralODE"]


class NeuralODE(Bijector[Tensor, Tensor]):
    r"""The flow of a vector field: :math:`z = y(T)`, where ``y`` starts from :math:`y(0) = x` and moves along ``f``.

    .. math:: \dot y = f(t, y, c), \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right|
              = \int_0^T \operatorname{tr}\left(\frac{\partial f}{\partial y}\right) dt.

    Any field does, free in form; the inverse solves the same equation from ``T`` back to 0. (FFJORD counts time the
    other way: its data are at the end.)

    The trace is found by a strategy **in training mode only**: after ``eval()`` it is exact whatever the strategy,
    so that results are repeatable and densities are densities. Traces are taken by ``torch.func``, which refuses
    hooks on saved tensors: to store less for the backward pass take :class:`~flowkit.Checkpointed`;
    ``torch.utils.checkpoint`` around this layer has to be the reentrant kind.

    Args:
        vector_field: ``f``, a module called ``field(t, y)``, or ``field(t, y, context)`` where there is one, with
            ``t`` a tensor of no dimensions, to the shape of ``y``; twice differentiable in ``y``, any number of batch
            dimensions. One that has ``prepare(context)``, like :class:`~flowkit.nn.time_mlp.TimeMLP`, gets that
            method's result in place of the context, computed once per call. It must keep nothing between calls.
        trace: the strategy used in training; :class:`~flowkit.bijectors.traces.ExactTrace` by default.
        time: ``T``, greater than 0.
        solver: :class:`~flowkit.bijectors.ode_solvers.DormandPrince`, which needs torchdiffeq, by default.
        event_dims: 1 for vectors, 3 for images.

    Raises:
        ValueError: the time is not positive; or, when called, the field's result has another shape than its input.
        ImportError: the default solver is used, and torchdiffeq is not installed.

    References:
        Chen, Rubanova, Bettencourt and Duvenaud, "Neural Ordinary Differential Equations", NeurIPS 2018, section 4;
        Grathwohl, Chen, Bettencourt, Sutskever and Duvenaud, "FFJORD: Free-form Continuous Dynamics for Scalable
        Reversible Generative Models", ICLR 2019, equations 4 to 8.

    Examples:
        >>> from flowkit.bijectors.ode_solvers import RungeKutta4
        >>> from flowkit.nn.time_mlp import TimeMLP
        >>> layer = NeuralODE(TimeMLP(2, hidden=(16,)), solver=RungeKutta4(10))
        >>> x = torch.rand(5, 2)
        >>> z, log_det = layer(x)
        >>> torch.allclose(layer.inverse(z)[0], x, atol=1e-6)
        True
    """

    takes_derivatives = True

    def __init__(
        self,
        vector_field: nn.Module,
        trace: Trace | None = None,
        time: float = 1.0,
        solver: ODESolver | None = None,
        event_dims: int = 1,
    ) -> None:
        super().__init__()
        if not time > 0:
            raise ValueError(f"time is {time}; it must be greater than 0")
        self.vector_field = vector_field
        self.trace = ExactTrace() if trace is None else trace
        self.time = time
        self.solver = DormandPrince() if solver is None else solver
        require_counts(1, event_dims=event_dims)
        self.event_dims = event_dims

    def prepare(self, context: Any) -> Any:
        """What the field computes from the context alone."""
        return prepare_conditioner(self.vector_field, context)

    def velocity(self, t: Tensor, y: Tensor, context: Any = None) -> Tensor:
        """The field at points of the way, each at a time of its own: what flow matching trains.

        Args:
            t: times, 0 at the data to ``time`` at the latents, of a shape that broadcasts to that of ``y``, such as
                ``batch x 1``; a field that is trained so has to take them.
            y: the points, ``batch x event``.
            context: as for ``forward``.

        Returns:
            Velocities of the shape of ``y``.

        Raises:
            ValueError: the field's result has another shape.
        """
        dynamics = _Dynamics(self.vector_field, self.prepare(context), self.trace, self.event_dims)
        return dynamics.velocity(t, y)

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return out_of_inference_mode(self._flow, x, prepared, 0.0, self.time)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return out_of_inference_mode(self._flow, z, prepared, self.time, 0.0)

    def _flow(self, x: Tensor, prepared: Any, start: float, end: float) -> tuple[Tensor, Tensor]:
        trace = self.trace if self.training else ExactTrace()
        x = at_least_float32(x)
        with without_autocast(x.device):
            log_det = sum_event(torch.zeros_like(x), self.event_dims)
            # A field rounded to half precision has no solution that steps of adapted size could follow.
            swapped = full_precision_state(self.vector_field) or None
            prepared = map_floating(at_least_float32, prepared)
            dynamics = _Dynamics(self.vector_field, prepared, trace.draw(x), self.event_dims, swapped)
            z, log_det = self.solver(dynamics, (x, log_det), start, end)
            return z, log_det


class _Dynamics:
    """The derivative of a point and of the log-determinant on its way.

    No frozen dataclass: ``torch.compile`` of torch before 2.12 does not trace how one is made.

    Args:
        vector_field: as of the layer.
        prepared: what depends on the context alone.
        trace: without randomness.
        event_dims: as of the layer.
        swapped: parameters and buffers to call the field with, in place of its own.
    """

    def __init__(
        self,
        vector_field: nn.Module,
        prepared: Any,
        trace: Trace,
        event_dims: int,
        swapped: dict[str, Tensor] | None = None,
    ) -> None:
        self.vector_field = vector_field
        self.prepared = prepared
        self.trace = trace
        self.event_dims = event_dims
        self.swapped = swapped

    def __call__(self, t: Tensor, state: State) -> State:
        return self.trace(lambda y: self.velocity(t, y), state[0], self.event_dims)

    def tensors(self) -> State:
        of_context = filter(_is_differentiable, pytree.tree_leaves(self.prepared))
        swapped = self.swapped or {}
        return (*(swapped.get(name, p) for name, p in self.vector_field.named_parameters()), *of_context)

    def replaced(self, tensors: State) -> "_Dynamics":
        given = iter(tensors)
        buffers = {**dict(self.vector_field.named_buffers()), **(self.swapped or {})}
        swapped = {name: next(given) for name, _ in self.vector_field.named_parameters()}
        prepared = pytree.tree_map(lambda leaf: next(given) if _is_differentiable(leaf) else leaf, self.prepared)
        swapped = {**buffers, **swapped}
        return _Dynamics(self.vector_field, prepared, self.trace, self.event_dims, swapped)

    def velocity(self, t: Tensor, y: Tensor) -> Tensor:
        arguments = (t, y) if self.prepared is None else (t, y, self.prepared)
        if self.swapped is None:
            value = self.vector_field(*arguments)
        else:
            value = torch.func.functional_call(self.vector_field, self.swapped, arguments)
        # A context of more samples than the data would silently multiply them.
        if value.shape != y.shape:
            raise ValueError(f"the field gave the shape {tuple(value.shape)} for data of shape {tuple(y.shape)}")
        return value


def _is_differentiable(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.is_floating_point()
