"""The description of a stochastic map that its checks start from."""

from collections.abc import Callable
from dataclasses import dataclass

from flowkit.bijector import Shape
from flowkit.surjections.stochastic_map import StochasticMap

__all__ = ["MapCase"]


@dataclass(frozen=True)
class MapCase:
    """A stochastic map to be checked: how to make it, and the event shapes of its inputs.

    Args:
        make: builds a new map at each call, without arguments.
        event: the event shape of the data.
        context: the event shape of the context; ``None`` for a map without one.
        batches: the batch shapes that the map must support.
        deviation: standard deviation of the noise added to the initial parameters, relative to the number of inputs.

    Examples:
        >>> from flowkit.surjections import Maximum
        >>> MapCase(lambda: Maximum(2), event=(6,)).make().output_shape((6,))
        (3,)
    """

    make: Callable[[], StochasticMap]
    event: Shape
    context: Shape | None = None
    batches: tuple[tuple[int, ...], ...] = ((), (0,), (3,), (2, 2))
    deviation: float = 0.2
