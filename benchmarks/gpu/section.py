"""A part of the measurements, in a process of its own: ``python -m benchmarks.gpu.section NAME``.

Its rows go to standard output as they come, a line of JSON each. The process ends with an error where the section does.
"""

import argparse
import importlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["MARK", "SECTIONS", "Row", "Section"]

Row = Mapping[str, Any]
"""A line of a table: texts, numbers and truths by column."""

MARK = "benchmarks.gpu row: "
"""Begins the lines that are rows: libraries print as well."""


@dataclass(frozen=True)
class Section:
    """A part of the measurements: a table."""

    title: str
    seconds: float
    """How long it may take, its process's start included."""
    module: str
    """Of ``benchmarks.gpu.sections``; its ``rows`` makes the rows."""
    arguments: tuple[str, ...] = ()
    """What ``rows`` is given behind the setting."""

    def rows(self, setting: Any) -> Iterator[Row]:
        """Measure; each row as soon as it is there."""
        function: Callable[..., Iterator[Row]] = importlib.import_module(f"benchmarks.gpu.sections.{self.module}").rows
        return function(setting, *self.arguments)


PEERS = ("flowkit", "nflows", "normflows", "zuko", "FrEIA", "pyro")

SECTIONS: dict[str, Section] = {
    "matrices": Section("Products and convolutions", 45, "matrices"),
    "golden": Section("Beside the published program's numbers", 45, "golden"),
    "values": Section("Values beside those of the CPU", 60, "values"),
    "throughput_aim": Section("Throughput of the AIM network", 70, "throughput", ("aim",)),
    "throughput_ntire": Section("Throughput of the NTIRE network", 70, "throughput", ("ntire",)),
    "degrading": Section("Degrading", 60, "degrading"),
    "training": Section("Training steps", 60, "training"),
    "memory": Section("Memory of training steps", 45, "memory"),
    "likelihood": Section("Log-likelihoods in less precise arithmetic", 45, "likelihood"),
    **{f"peers_{name}": Section(f"Works of the comparison: {name}", 40, "peers", (name,)) for name in PEERS},
    # The last: compiling takes minutes, and it may have all the time that is left.
    "compiled": Section("Compiled", 300, "compiled"),
}
"""In their order."""


def main(arguments: list[str] | None = None) -> None:
    import torch

    from benchmarks.gpu.sizes import FULL, QUICK, Setting

    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.section", description=__doc__)
    parser.add_argument("name", choices=list(SECTIONS))
    parser.add_argument("--device", type=torch.device, default=torch.device("cuda"))
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args(arguments)
    setting = Setting(chosen.device, QUICK if chosen.quick else FULL)
    for row in SECTIONS[chosen.name].rows(setting):
        print(MARK + json.dumps({key: _writable(value) for key, value in row.items()}), flush=True)


def _writable(value: Any) -> Any:
    """JSON has no infinite numbers, and none that is none."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    main()
