"""``python -m benchmarks density``: train, compare, and write the record, the pictures and the page."""

import argparse
import time
from pathlib import Path

from benchmarks import record as records
from benchmarks.outputs import DOCS, add_outputs
from benchmarks.page import write_page

__all__ = ["add"]

DISTRIBUTIONS = ("torch", "nflows", "zuko", "normflows", "scikit-learn", "numpy")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    command = commands.add_parser(
        "density",
        help="held-out likelihoods of flowkit's models beside those of nflows, zuko and normflows",
        description="Trains the models of flowkit, nflows, zuko and normflows on toys and on real data; "
        "writes OUT/density.json, the pictures IMAGES/*.png, and the tables of PAGE.",
    )
    command.add_argument("--quick", action="store_true", help="one data set of each kind, too short to compare")
    add_outputs(command, "density", "no training: tables and plots of OUT as it is")
    command.add_argument("--workers", type=int, default=2, help="processes of one thread each; default %(default)s")
    command.add_argument("--images", type=Path, default=DOCS / "images/density", help="default %(default)s")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; the exit status."""
    # Here, so that help and the other commands work without what only this one needs.
    from benchmarks.density import comparison, pictures, suite, table
    from benchmarks.density.runs import run_all

    path = arguments.out / "density.json"
    if not arguments.tables_only:
        groups = suite.QUICK if arguments.quick else suite.RECORD
        start = time.monotonic()
        runs = list(run_all(suite.jobs(groups), arguments.workers))
        record = {
            "command": "python -m benchmarks density" + (" --quick" if arguments.quick else ""),
            "minutes": round((time.monotonic() - start) / 60, 1),
            "workers": arguments.workers,
            "machine": records.machine(),
            "versions": records.versions(DISTRIBUTIONS),
            "settings": suite.settings(groups),
            "results": comparison.summarise(runs),
        }
        records.write(path, record)
        pictures.draw_densities(runs, arguments.images)
    record = records.read(path)
    pictures.draw_differences(record, arguments.images)
    write_page(arguments.page, table.sections(record))
    print(f"{path}\n{arguments.images}\n{arguments.page}")
    return 0
