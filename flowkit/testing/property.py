"""A property of the contract: its statement, its tolerance and the reason for it, and its measurement."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from flowkit.testing.subject import STATES, State
from flowkit.testing.violation import ContractViolation

__all__ = ["HOLDS", "Measurement", "Property"]

S = TypeVar("S")


class Measurement(NamedTuple):
    """One figure of a check.

    Attributes:
        figure: the error, in the property's own unit; 0 is perfect.
        what: names what was measured, for the message.

    Examples:
        >>> Measurement(3e-16, "inverse(forward(x)) against x").figure
        3e-16
    """

    figure: float
    what: str


# The measurement of a property that holds or does not.
HOLDS = Measurement(0.0, "it holds")


@dataclass(frozen=True)
class Property(Generic[S]):
    """A property of the contract, which is measured on a subject: of bijectors, or of stochastic maps.

    Args:
        id: its name in tables, messages and exemptions.
        statement: what is claimed, in a sentence.
        tolerance: the largest figure that passes; 0 for a property that holds or does not.
        justification: the reason for the tolerance: what rounding costs, and what the smallest mistake would cost.
        measure: yields at least one measurement of a subject; raises :class:`ContractViolation` for a violation
            without a figure, and :class:`NotApplicable` if the property does not apply.
        states: the states of the parameters that it is checked in.
        once: whether it is checked for one seed only, because it is slow and does not depend on the numbers.

    Examples:
        >>> from flowkit.testing.properties import PROPERTIES
        >>> next(p for p in PROPERTIES if p.id == "log_dets_cancel").tolerance
        1e-08
    """

    id: str
    statement: str
    tolerance: float
    justification: str
    measure: Callable[[S], Iterable[Measurement]]
    states: tuple[State, ...] = STATES
    once: bool = False

    def check(self, subject: S) -> float:
        """Measure a subject.

        Args:
            subject: the bijector or map, with parameters and data.

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
        # Written so that nan fails.
        if not worst.figure <= self.tolerance:
            raise ContractViolation(
                f"{self.id}: {worst.what} is off by {worst.figure:.1e}, allowed are {self.tolerance:.0e} {subject}",
                worst.figure,
            )
        return worst.figure
