"""The training's scalars as a CSV file, beside the TensorBoard log."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from flowkit_deflow.files import write_text

__all__ = ["ScalarsFile"]

# Lightning's own, the same at every step.
LEFT_OUT = "epoch"


class ScalarsFile(Logger):
    """A row for each logged step: the step, and the scalars that the TensorBoard log has of it.

    Rows of steps that a run makes again, since it was stopped after its last checkpoint, are replaced. (Lightning's own
    CSV logger starts its file anew where a run goes on.)

    Args:
        path: the file.
        start: the step that the run goes on from; rows of later steps are dropped.
        columns: scalars that the first row may lack; where a row lacks one, its place is empty.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "scalars.csv"
        >>> ScalarsFile(path, start=0).log_metrics({"loss": 4.5}, step=0)
        >>> ScalarsFile(path, start=1).log_metrics({"loss": 4.25}, step=1)
        >>> path.read_text().splitlines()
        ['step,loss', '0,4.5', '1,4.25']
    """

    def __init__(self, path: Path, start: int, columns: Iterable[str] = ()) -> None:
        super().__init__()
        self.path = path
        self.start = start
        self.columns = tuple(columns)
        self._names: list[str] | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def version(self) -> str:
        """There is one."""
        return ""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add a row; the names of the first one are the columns, with those that were asked for."""
        metrics = {name: value for name, value in metrics.items() if name != LEFT_OUT}
        if self._names is None:
            self._names = self._kept() or self._begun(list(dict.fromkeys(["step", *metrics, *self.columns])))
        row = io.StringIO()
        csv.DictWriter(row, self._names, extrasaction="ignore", lineterminator="\n").writerow({"step": step, **metrics})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(row.getvalue())

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The settings are in ``run.yaml``."""

    def _begun(self, names: list[str]) -> list[str]:
        """Begin the file with its columns."""
        write_text(self.path, ",".join(names) + "\n")
        return names

    def _kept(self) -> list[str]:
        """Drop rows that will be written again, and a row that was cut short; returns the columns, none of no file."""
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").splitlines()
        names = next(csv.reader(lines[:1]), [])
        rows = [line for line in lines[1:] if _step(line, len(names)) < self.start]
        write_text(self.path, "".join(f"{line}\n" for line in lines[:1] + rows))
        return names


def _step(line: str, columns: int) -> float:
    """The step of a row; infinity for what is no whole row."""
    values = line.split(",")
    return int(values[0]) if len(values) == columns and values[0].isdigit() else float("inf")
