"""Units of the evaluation's quantities, and how their numbers are written."""

import math
from dataclasses import dataclass

__all__ = ["COUNT", "DECIBELS", "GREY_LEVELS", "NATS", "PERCENT", "PLAIN", "SQUARED_GREY_LEVELS", "Unit"]


@dataclass(frozen=True)
class Unit:
    """A unit that numbers are shown in.

    Attributes:
        scale: factor from the stored number to the shown one.
        digits: decimals that the table shows.
    """

    scale: float = 1.0
    digits: int = 3

    def text(self, value: float) -> str:
        """A value, already scaled, as the table shows it; a dash for NaN."""
        return "-" if math.isnan(value) else f"{_rounded(value, self.digits):,.{self.digits}f}"

    def signed(self, value: float) -> str:
        """A difference of values, already scaled, with its sign."""
        return "-" if math.isnan(value) else f"{_rounded(value, self.digits):+,.{self.digits}f}"


def _rounded(value: float, digits: int) -> float:
    # Adding zero turns a rounded "-0.00" into "0.00".
    return round(float(value), digits) + 0.0


PLAIN = Unit()
COUNT = Unit(digits=0)
DECIBELS = Unit(digits=2)
NATS = Unit(digits=4)
PERCENT = Unit(scale=100.0, digits=1)
# Images are stored in [0, 1]; people think of their noise in the 255 steps of 8-bit images.
GREY_LEVELS = Unit(scale=255.0, digits=2)
SQUARED_GREY_LEVELS = Unit(scale=255.0**2, digits=2)
