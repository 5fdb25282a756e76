"""What a property is: a statement, how far it may be missed and why, and how that is measured."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from flowkit.testing.subject import STATES, State, Subject
from flowkit.testing.violation import ContractViolation

__all__ = ["HOLDS", "Measurement", "Property"]


class Measurement(NamedTuple):
    """One figure of a check.

    Attributes:
        figure: how far the property is missed, in its own unit; 0 is perfect.
        what: names what was measured, for the message.

    Examples:
        >>> Measurement(3e-16, "inverse(forward(x)) against x").figure
        3e-16
    """

    figure: float
    what: str


# Of properties that hold or do not.
HOLDS = Measurement(0.0, "it holds")


@dataclass(frozen=True)
class Property:
    """A property of the contract.

    Args:
        id: its name in tables, messages and exemptions.
        statement: what is claimed, in a sentence.
        tolerance: the largest figure that passes; 0 for a property that holds or does not.
        justification: why that tolerance: what rounding costs, and what the smallest mistake would.
        measure: gives the figures for a bijector made ready, one at least; raises :class:`ContractViolation` for what
            has no figure, and :class:`NotApplicable` where there is nothing to check.
        states: the states of the parameters in which it is checked.
        once: checked for one seed alone, because it is slow and does not depend on numbers.

    Examples:
        >>> from flowkit.testing.properties import PROPERTIES
        >>> next(p for p in PROPERTIES if p.id == "log_dets_cancel").tolerance
        1e-08
    """

    id: str
    statement: str
    tolerance: float
    justification: str
    measure: Callable[[Subject], Iterable[Measurement]]
    states: tuple[State, ...] = STATES
    once: bool = False

    def check(self, subject: Subject) -> float:
        """Measure a bijector.

        Args:
            subject: the bijector, made ready.

        Returns:
            The worst figure seen.

        Raises:
            ContractViolation: a figure is over the tolerance, or not a number; the message names the property.
            NotApplicable: there is nothing to check.
        """
        try:
            measurements = list(self.measure(subject))
        except ContractViolation as violation:
            raise ContractViolation(f"{self.id}: {violation} {subject}", violation.figure) from violation
        if not measurements:
            raise ValueError(f"property {self.id!r} measured nothing")
        worst = max(measurements, key=lambda m: math.inf if math.isnan(m.figure) else m.figure)
        # nan is under no tolerance.
        if not worst.figure <= self.tolerance:
            raise ContractViolation(
                f"{self.id}: {worst.what} is off by {worst.figure:.1e}, allowed are {self.tolerance:.0e} {subject}",
                worst.figure,
            )
        return worst.figure
