"""The trace of a vector field's derivative: exact, and Hutchinson's estimate."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor

from flowkit.bijector import sum_event
from flowkit.bijectors.jacobian import jacobian, value_and_pullback
from flowkit.bijectors.probes import Probe, rademacher
from flowkit.recorded import Recorded

__all__ = ["ExactTrace", "HutchinsonTrace", "Trace"]


class Trace(Recorded, ABC):
    r"""A way to :math:`\operatorname{tr}(\partial f / \partial x)`, the rate at which a flow's log-volume changes.

    Examples:
        >>> import torch
        >>> velocity, trace = ExactTrace()(lambda y: 0.5 * y, torch.ones(4, 3))
        >>> velocity.shape, trace
        (torch.Size([4, 3]), tensor([1.5000, 1.5000, 1.5000, 1.5000]))
    """

    def draw(self, x: Tensor) -> "Trace":
        """The trace to take throughout one solution: what is random in it is drawn here, once.

        What the solver sees is then a smooth function of time.

        Args:
            x: the start, ``batch x event``.

        Returns:
            A trace without randomness, for points of that shape; the same one if it has none.
        """
        return self

    @abstractmethod
    def __call__(self, function: Callable[[Tensor], Tensor], x: Tensor, event_dims: int = 1) -> tuple[Tensor, Tensor]:
        """The field's value and the trace.

        Args:
            function: the field at one time, ``batch x event`` to the same shape; samples must not see each other.
            x: where, ``batch x event``.
            event_dims: how many trailing dimensions make one event.

        Returns:
            The velocity, and the trace: one number per sample, of the batch shape, float32 at least.
        """


class ExactTrace(Trace):
    r"""The sum of the Jacobian's diagonal, :math:`\sum_i \partial f_i / \partial x_i`.

    For events of ``D`` numbers: ``D`` backward passes through the field, run at once.

    Examples:
        >>> import torch
        >>> ExactTrace()(torch.square, torch.tensor([[1.0, 2.0]]))[1]
        tensor([6.])
    """

    def __call__(self, function: Callable[[Tensor], Tensor], x: Tensor, event_dims: int = 1) -> tuple[Tensor, Tensor]:
        """The field's value and the trace."""
        velocity, matrix = jacobian(function, x, event_dims)
        return velocity, sum_event(matrix.diagonal(dim1=-2, dim2=-1), 1)


class HutchinsonTrace(Trace):
    r"""An unbiased estimate from one backward pass: :math:`v^\top \frac{\partial f}{\partial x} v`.

    ``v`` is drawn for each sample, from PyTorch's global generator, once for a whole solution: its log-determinant is
    then unbiased too.

    Args:
        probe: makes ``v``: :func:`~flowkit.bijectors.probes.rademacher`, or ``torch.randn_like``.

    References:
        Grathwohl, Chen, Bettencourt, Sutskever and Duvenaud, "FFJORD: Free-form Continuous Dynamics for Scalable
        Reversible Generative Models", ICLR 2019, section 3.1, equations 7 and 8.

    Examples:
        >>> import torch
        >>> HutchinsonTrace()(torch.square, torch.tensor([[1.0, 2.0]]))[1]
        tensor([6.])
    """

    def __init__(self, probe: Probe = rademacher) -> None:
        self.probe = probe

    def draw(self, x: Tensor) -> Trace:
        """The estimate with one ``v`` throughout."""
        return _AlongProbe(self.probe(x))

    def __call__(self, function: Callable[[Tensor], Tensor], x: Tensor, event_dims: int = 1) -> tuple[Tensor, Tensor]:
        """The field's value and an estimate with a new ``v``."""
        return self.draw(x)(function, x, event_dims)


class _AlongProbe(Trace):
    """Hutchinson's estimate with a vector that was drawn before."""

    def __init__(self, vector: Tensor) -> None:
        self.vector = vector

    def __call__(self, function: Callable[[Tensor], Tensor], x: Tensor, event_dims: int = 1) -> tuple[Tensor, Tensor]:
        velocity, pullback = value_and_pullback(function, x)
        return velocity, sum_event(pullback(self.vector) * self.vector, event_dims)
