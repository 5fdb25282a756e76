"""What was measured in the course of a training."""

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flowkit_deflow.errors import UserError
from flowkit_deflow.files import write_text

__all__ = ["History", "Row", "Scalars"]

Scalars = Mapping[str, float]


class Row(NamedTuple):
    """What was measured after a step.

    Attributes:
        step: optimiser steps made, from 1.
        scalars: numbers by name.
    """

    step: int
    scalars: Scalars


class History:
    """The monitored steps of a training, oldest first.

    Args:
        rows: what was measured so far.

    Examples:
        >>> history = History()
        >>> history.add(100, {"bits_clean": 4.5})
        >>> history.add(200, {"bits_clean": 4.0})
        >>> history.last("bits_clean"), history.at_half("bits_clean")
        (4.0, 4.5)
    """

    def __init__(self, rows: list[Row] | None = None) -> None:
        self.rows = [] if rows is None else rows

    def add(self, step: int, scalars: Scalars) -> None:
        """Note what was measured after a step."""
        self.rows.append(Row(step, dict(scalars)))

    def complete(self, scalars: Scalars) -> None:
        """Note what else was measured after the last step."""
        step, known = self.rows.pop()
        self.rows.append(Row(step, {**known, **scalars}))

    @property
    def steps(self) -> int:
        """The step that was measured last; 0 before any."""
        return self.rows[-1].step if self.rows else 0

    @property
    def names(self) -> list[str]:
        """The scalars' names, in the order in which they were first measured."""
        return list(dict.fromkeys(name for row in self.rows for name in row.scalars))

    def series(self, name: str) -> list[tuple[int, float]]:
        """The steps at which a scalar was measured, and its values."""
        return [(row.step, row.scalars[name]) for row in self.rows if name in row.scalars]

    def last(self, name: str) -> float:
        """A scalar as it was measured last; not a number if it never was."""
        series = self.series(name)
        return series[-1][1] if series else math.nan

    def at_half(self, name: str) -> float:
        """A scalar at the monitored step that is next to half of the last one; not a number if there is none."""
        earlier = self.series(name)[:-1]
        return min(earlier, key=lambda entry: abs(2 * entry[0] - self.steps))[1] if earlier else math.nan

    def state(self) -> list[dict[str, Any]]:
        """The rows as plain values, for a checkpoint."""
        return [{"step": row.step, "scalars": dict(row.scalars)} for row in self.rows]

    @classmethod
    def from_state(cls, state: list[dict[str, Any]]) -> "History":
        """The history of which :meth:`state` was taken."""
        return cls([Row(row["step"], row["scalars"]) for row in state])

    def write(self, path: Path) -> None:
        """Write a CSV file with a line for each step.

        Raises:
            UserError: it cannot be written.
        """
        text = io.StringIO()
        writer = csv.DictWriter(text, ["step", *self.names], lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            writer.writerow({"step": row.step, **row.scalars})
        write_text(path, text.getvalue())

    @classmethod
    def read(cls, path: Path) -> "History":
        """Read what :meth:`write` wrote; a file that is missing is a history without rows.

        Raises:
            UserError: the file holds something else.
        """
        if not path.exists():
            return cls()
        try:
            lines = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
            rows = [
                Row(int(line.pop("step")), {name: float(value) for name, value in line.items() if value})
                for line in lines
            ]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path}: holds no monitored steps ({error}); remove it, deflow train then writes it anew"
            ) from None
        return cls(rows)
