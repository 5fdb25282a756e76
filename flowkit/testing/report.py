"""The results of checking a bijector."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from flowkit.testing.violation import ContractViolation

__all__ = ["Report", "Row", "Verdict", "table"]

Verdict = Literal["passed", "failed", "exempt", "not applicable"]


@dataclass(frozen=True)
class Row:
    """The result of one property.

    Args:
        property: the id of the property.
        verdict: whether it holds.
        figure: the worst figure seen; ``None`` if nothing was measured.
        tolerance: the largest figure that passes; 0 for a property that holds or does not.
        message: what was found if the property fails, or why it was not checked.

    Examples:
        >>> Row("log_dets_cancel", "passed", 3e-16, 1e-8).cells()
        ('log_dets_cancel', '3.0e-16', '1e-08', 'passed')
    """

    property: str
    verdict: Verdict
    figure: float | None
    tolerance: float
    message: str = ""

    def cells(self) -> tuple[str, str, str, str]:
        """The row as text: property, worst figure, tolerance, verdict."""
        if self.tolerance == 0:
            return self.property, "", "", self.verdict
        measured = self.figure is not None and not math.isinf(self.figure)
        return self.property, f"{self.figure:.1e}" if measured else "", f"{self.tolerance:.0e}", self.verdict


@dataclass(frozen=True)
class Report:
    """The results of one bijector, a row for each property; it prints as a table.

    Args:
        name: the bijector's name.
        rows: one row for each property, in the order of checking.

    Examples:
        >>> report = Report("Squeeze", (Row("log_dets_cancel", "passed", 0.0, 1e-8), Row("bind", "passed", 0.0, 0.0)))
        >>> print(report)
        Squeeze: 2 properties hold
        property         worst    tolerance  verdict
        log_dets_cancel  0.0e+00  1e-08      passed
        bind                                 passed
    """

    name: str
    rows: tuple[Row, ...]

    @property
    def failures(self) -> tuple[Row, ...]:
        """The rows of the properties that do not hold."""
        return tuple(row for row in self.rows if row.verdict == "failed")

    @property
    def summary(self) -> str:
        """How many properties hold, fail, are exempt, in a line."""
        held, failed = (sum(row.verdict == verdict for row in self.rows) for verdict in ("passed", "failed"))
        if failed:
            parts = [_counted(failed, "property fails", "properties fail"), _counted(held, "holds", "hold")]
        else:
            parts = [_counted(held, "property holds", "properties hold")]
        parts += [f"{n} exempt"] if (n := sum(row.verdict == "exempt" for row in self.rows)) else []
        return ", ".join(parts)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the failures failed, a line each; a line for all of those that failed for the same reason."""
        groups: dict[str, list[Row]] = {}
        for row in self.failures:
            # The message without the property's name and the circumstances, which differ from row to row.
            message = row.message.removeprefix(f"{row.property}: ")
            reason = message.rpartition(" (seed ")[0] or message
            groups.setdefault(reason, []).append(row)
        lines = []
        for first, *others in groups.values():
            more = f", {others[0].property}" if len(others) == 1 else f" and {len(others)} more" if others else ""
            lines.append(f"{first.property}{more}{first.message.removeprefix(first.property)}")
        return tuple(lines)

    def raise_for_failures(self) -> None:
        """Raise if a property does not hold.

        Raises:
            ContractViolation: a property does not hold; the message lists all that do not.
        """
        if self.failures:
            lines = "\n".join(f"  {reason}" for reason in self.reasons)
            raise ContractViolation(f"{self.name} breaks the contract: {self.summary}\n{lines}")

    def __str__(self) -> str:
        """A heading, the table, and under it the reasons."""
        lines = [f"{self.name}: {self.summary}"]
        lines += table(("property", "worst", "tolerance", "verdict"), (row.cells() for row in self.rows))
        lines += [f"{row.property} is exempt: {row.message}" for row in self.rows if row.verdict == "exempt"]
        lines += [f"FAILED {reason}" for reason in self.reasons]
        return "\n".join(lines)


def _counted(number: int, singular: str, plural: str) -> str:
    return f"{number} {singular if number == 1 else plural}"


def table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Align columns of text.

    Args:
        heading: names of the columns.
        rows: one cell for each column.

    Returns:
        The lines, the heading first.

    Examples:
        >>> table(("a", "b"), [("one", "two")])
        ['a    b', 'one  two']
    """
    lines = [heading, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heading))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
