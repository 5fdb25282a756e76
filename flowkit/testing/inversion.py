"""Cases and entries of inverted bijectors."""

from dataclasses import replace
from typing import Any

from flowkit.bijector import Bijector
from flowkit.bijectors.inverse import Inverse
from flowkit.testing.case import Case, Draw, Entry

__all__ = ["inverted", "inverted_case"]


def inverted_case(case: Case) -> Case:
    """A case of the same bijector with its two directions exchanged.

    Args:
        case: the case to invert.

    Returns:
        A case of :class:`flowkit.Inverse`.

    Examples:
        >>> from flowkit import Squeeze
        >>> inverted_case(Case(Squeeze, event=(3, 4, 6))).event
        (12, 2, 3)
    """

    def make() -> Bijector[Any, Any]:
        return Inverse(case.make())

    return replace(case, make=make, event=case.make().output_shape(case.event))


def inverted(entry: Entry) -> Entry:
    """An entry of the inverses of an entry's bijectors.

    Args:
        entry: the entry.

    Returns:
        A new entry; its cases have other sizes for the same seed.

    Examples:
        >>> from flowkit.testing.catalogue import CATALOGUE
        >>> inverted(CATALOGUE["Squeeze"]).term
        'space to channels, turned round'
    """

    def build(draw: Draw) -> Case:
        return inverted_case(entry.build(draw))

    return Entry(f"{entry.term}, turned round", entry.paper, build)
