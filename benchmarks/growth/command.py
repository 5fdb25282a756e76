"""``python -m benchmarks growth``: time along each axis, count operations, plot, and write the record and the page."""

import argparse
import time
from pathlib import Path
from typing import Any

from benchmarks import record as records
from benchmarks.outputs import DOCS, add_outputs
from benchmarks.page import write_page

__all__ = ["add"]

DISTRIBUTIONS = ("torch", "numpy", "pytest-benchmark")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    command = commands.add_parser(
        "growth",
        help="how DeFlow's time and memory grow with levels, steps, image side, samples and batch",
        description="Times degrading and training while one thing at a time changes, beside the counted operations; "
        "writes OUT/growth.json, the picture IMAGE and the tables of PAGE.",
    )
    add_outputs(command, "growth", "no measurements: tables and plot of OUT as it is")
    command.add_argument("--image", type=Path, default=DOCS / "images/growth.png", help="default %(default)s")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; the exit status."""
    # Here, so that help and the other commands work without what only this one needs.
    from benchmarks.growth import picture, table

    path = arguments.out / "growth.json"
    if not arguments.tables_only:
        records.write(path, _measure())
    record = records.read(path)
    parts = table.sections(record)
    print("\n\n".join(parts.values()))
    picture.draw(record, arguments.image)
    write_page(arguments.page, parts)
    print(f"{path}\n{arguments.image}\n{arguments.page}")
    return 0


def _measure() -> dict[str, Any]:
    import torch

    from benchmarks.alternating import run_file
    from benchmarks.growth.counts import operations
    from benchmarks.growth.works import AXES
    from benchmarks.peak_memory import peak_memory

    start = time.monotonic()
    counted = operations()
    timings = run_file(Path(__file__).with_name("bench.py"))
    sides = [str(point.side) for point in AXES["side"]]
    return {
        "command": "python -m benchmarks growth",
        "minutes": round((time.monotonic() - start) / 60, 1),
        "machine": records.machine(),
        "threads": torch.get_num_threads(),
        "versions": records.versions(DISTRIBUTIONS),
        "timings": [timing.record() for timing in timings],
        "operations": counted,
        "memory": {side: peak_memory("benchmarks.growth.works:memory_work", side) for side in sides},
    }
