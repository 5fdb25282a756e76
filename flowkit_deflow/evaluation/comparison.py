"""How a quantity of the generated images is compared with that of the real ones."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from flowkit_deflow.evaluation.statistic import Array
from flowkit_deflow.evaluation.unit import Unit

__all__ = ["Comparison", "Difference", "Ratio", "ratio"]


@dataclass(frozen=True)
class Comparison(ABC):
    """A number for how the generated value relates to the real one.

    Attributes:
        key: its name in the JSON's ``comparison``; None keeps it to the table.
    """

    key: str | None = None

    @abstractmethod
    def compare(self, generated: Array, real: Array) -> Array:
        """Compare, element by element; NaN where the two cannot be compared."""

    @abstractmethod
    def text(self, value: float, unit: Unit) -> str:
        """The comparison of two scaled values, as the table shows it."""


class Ratio(Comparison):
    """Generated / real: 1 where they agree."""

    def compare(self, generated: Array, real: Array) -> Array:
        """Divide; NaN where real is zero."""
        return ratio(generated, real)

    def text(self, value: float, unit: Unit) -> str:
        """An x and the ratio."""
        return "-" if math.isnan(value) else f"x {value:.3f}"


class Difference(Comparison):
    """Generated - real: 0 where they agree."""

    def compare(self, generated: Array, real: Array) -> Array:
        """Subtract; NaN where both are infinite."""
        with np.errstate(invalid="ignore"):
            return np.asarray(np.subtract(generated, real))

    def text(self, value: float, unit: Unit) -> str:
        """The difference with its sign, in the quantity's unit."""
        return unit.signed(value)


def ratio(numerator: Array, denominator: Array) -> Array:
    """Divide, element by element; NaN where the denominator is zero.

    Examples:
        >>> ratio(np.array([1.0, 1.0]), np.array([4.0, 0.0]))
        array([0.25,  nan])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(np.equal(denominator, 0), math.nan, np.divide(numerator, denominator)))
