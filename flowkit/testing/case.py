"""What the contract's checks need to know of a bijector."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flowkit.bijector import Bijector, Shape

__all__ = ["Case", "Draw", "Entry"]

# Draws an integer from a closed range: ``random.Random(seed).randint``, or hypothesis behind the same two arguments.
Draw = Callable[[int, int], int]


@dataclass(frozen=True)
class Case:
    """A bijector to be checked: how to make one, and the event shapes of what it takes.

    Args:
        make: builds a new bijector at each call, without arguments.
        event: the event shape of ``forward``'s input (a tuple of shapes for a tuple of tensors).
        context: the event shape of the context; ``None`` for an unconditional bijector.
        batches: the batch shapes that the bijector is claimed for.
        deviation: how far the checks move the parameters from their start, relative to the number of inputs.
        exempt: identifier of a property that does not apply, and the reason, which the report prints.

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
    """A line of the catalogue: a bijector of the field by its usual name, its source, and cases of drawn sizes.

    Args:
        term: what the field calls it.
        paper: who brought it: authors, year, section or equation.
        build: makes a case, its sizes drawn by the function that it is given.

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
