"""The description of a bijector that its checks start from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flowkit.bijector import Bijector, Shape

__all__ = ["Case", "Draw", "Entry"]

# Draws an integer from a closed range: ``random.Random(seed).randint``, or hypothesis behind the same two arguments.
Draw = Callable[[int, int], int]


@dataclass(frozen=True)
class Case:
    """A bijector to be checked: how to make it, and the event shapes of its inputs.

    Args:
        make: builds a new bijector at each call, without arguments.
        event: the event shape of ``forward``'s input (a tuple of shapes for a tuple of tensors).
        context: the event shape of the context; ``None`` for an unconditional bijector.
        batches: the batch shapes that the bijector must support.
        deviation: standard deviation of the noise added to the initial parameters, relative to the number of inputs.
        exempt: from the id of a property that does not apply to the reason, which the report prints.

    Examples:
        >>> from flowkit import Squeeze
        >>> Case(Squeeze, event=(3, 4, 6)).make().output_shape((3, 4, 6))
        (12, 2, 3)
    """

    make: Callable[[], Bijector[Any, Any]]
    event: Shape
    context: Shape | None = None
    batches: tuple[tuple[int, ...], ...] = ((), (1,), (3,), (2, 2))
    deviation: float = 0.2
    exempt: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """An entry of the catalogue: the name of a bijector, its source, and a builder of cases of random sizes.

    Args:
        term: the field's name for it.
        paper: its source: authors, year, section or equation.
        build: makes a case, drawing its sizes with the function that it is given.

    Examples:
        >>> import random
        >>> from flowkit import Squeeze
        >>> entry = Entry("space to channels", "Dinh et al. 2017, sec. 3.6",
        ...               lambda draw: Case(Squeeze, event=(draw(1, 3), 2 * draw(1, 3), 2 * draw(1, 3))))
        >>> len(entry.build(random.Random(0).randint).event)
        3
    """

    term: str
    paper: str
    build: Callable[[Draw], Case]
