"""What data lie on where that is no product of equal intervals, and the measure that densities refer to there."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints

__all__ = ["Support", "SupportConstraint", "tolerance"]


class Support(ABC):
    r"""A set of events, with a measure: a simplex, a sphere, a box.

    A density on it integrates to 1 with respect to that measure, and the log-determinant of a bijector between two
    such sets :math:`X` and :math:`Z` is that of its derivative between their tangent spaces,

    .. math:: \log\left|\det\, E_Z(z)^+ \, \frac{\partial z}{\partial x}\, E_X(x)\right|,

    with the columns of :math:`E` tangent vectors that span a parallelepiped of volume 1 (see :meth:`frame`).

    Attributes:
        event_dims: how many trailing dimensions make one event.
        description: what the events are, for messages: "a bijector takes ...".

    References:
        M. C. Gemici, D. J. Rezende, S. Mohamed, "Normalizing Flows on Riemannian Manifolds", 2016, sec. 2.

    Examples:
        >>> from flowkit.supports import SphereSupport
        >>> SphereSupport().contains(torch.tensor([[0.6, 0.8], [1.0, 1.0]]))
        tensor([ True, False])
    """

    event_dims: int = 1
    description: str

    @property
    def constraint(self) -> constraints.Constraint:
        """The set as a constraint of ``torch.distributions``: torch's own, where it has one."""
        return SupportConstraint(self)

    @property
    def is_everything(self) -> bool:
        """Whether all vectors of real numbers lie in the set, but for what a data type cannot hold."""
        return False

    @property
    def is_product(self) -> bool:
        """Whether each entry has an interval of its own, whatever the others are."""
        return self.is_everything

    @abstractmethod
    def contains(self, value: Tensor) -> Tensor:
        """Whether each event of ``batch x event`` lies in the set, up to rounding: booleans of the batch shape."""

    @abstractmethod
    def draw(
        self, shape: tuple[int, ...], batch: tuple[int, ...], dtype: torch.dtype, generator: torch.Generator
    ) -> Tensor:
        """Events well within the set, ``batch x shape``, for checks: spread all over it, of no stated density."""

    def frame(self, point: Tensor) -> Tensor | None:
        """Tangent vectors at a point that span a volume of 1 in the set's measure.

        Args:
            point: one event.

        Returns:
            ``entries of the event x dimensions of the set``; ``None`` for Lebesgue measure of all entries.
        """
        return None

    def require(self, value: Tensor, taker: str) -> None:
        """Refuse values that do not lie in the set.

        Args:
            value: ``batch x event``.
            taker: what takes them, for the message.

        Raises:
            ValueError: an event does not.

        Examples:
            >>> from flowkit.supports import SimplexSupport
            >>> SimplexSupport().require(torch.tensor([0.5, 0.6]), "It")
            Traceback (most recent call last):
            ...
            ValueError: It takes vectors of positive numbers that sum to 1, got [0.5, 0.6]
        """
        inside = self.contains(value)
        if not bool(inside.all()):
            first = value[~inside][0] if inside.ndim else value
            raise ValueError(f"{taker} takes {self.description}, got {_shortened(first)}")


class SupportConstraint(constraints.Constraint):
    """A support as a constraint of ``torch.distributions``, which has none of its own for it.

    Args:
        support: the set.
        bijector: from the set onto vectors of real numbers, by which ``torch.distributions.biject_to`` and samplers
            come onto the set; ``None`` where there is none.

    Examples:
        >>> from flowkit.supports import SphereSupport
        >>> SupportConstraint(SphereSupport()).check(torch.tensor([0.0, 1.0]))
        tensor(True)
    """

    def __init__(self, support: Support, bijector: Any = None) -> None:
        super().__init__()
        self.support = support
        self.bijector = bijector

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """How many trailing dimensions make one event."""
        return self.support.event_dims

    def check(self, value: Any) -> Any:
        """Whether each event lies in the set: booleans of the batch shape."""
        return self.support.contains(value)

    def __repr__(self) -> str:
        return f"SupportConstraint({type(self.support).__name__})"


def tolerance(dtype: torch.dtype) -> float:
    """How far the sum, or the length, of numbers of a data type may be from 1: what rounding them costs, and more.

    Args:
        dtype: floating-point type.

    Returns:
        The largest deviation.

    Examples:
        >>> tolerance(torch.float64)
        1e-05
    """
    # Data in float64 have often been float32.
    return max(1e-5, 4 * torch.finfo(dtype).eps)


def _shortened(value: Tensor) -> str:
    text = str([round(number, 4) for number in value.flatten()[:8].tolist()])
    return text if value.numel() <= 8 else f"{text[:-1]}, ...]"
