"""``python -m benchmarks patches``: train, and write the record and the page."""

import argparse
import time
from dataclasses import asdict

from benchmarks import record as records
from benchmarks.outputs import add_outputs
from benchmarks.page import write_page

__all__ = ["add"]

DISTRIBUTIONS = ("torch", "scikit-learn", "numpy")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    command = commands.add_parser(
        "patches",
        help="bits per dimension of glow, jet and tarflow on digits and patches of photographs",
        description="Trains flowkit's image flows, of about as many parameters each, on images of 8 x 8 and 32 x 32; "
        "writes OUT/patches.json and the tables of PAGE.",
    )
    command.add_argument("--quick", action="store_true", help="one data set, too short to compare")
    add_outputs(command, "patches", "no training: tables of OUT as it is")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; the exit status."""
    # Here, so that help and the other commands work without what only this one needs.
    from benchmarks.patches import runs, table

    path = arguments.out / "patches.json"
    if not arguments.tables_only:
        contest = runs.QUICK if arguments.quick else runs.RECORD
        start = time.monotonic()
        results = list(runs.run_all(contest))
        record = {
            "command": "python -m benchmarks patches" + (" --quick" if arguments.quick else ""),
            "minutes": round((time.monotonic() - start) / 60, 1),
            "machine": records.machine(),
            "versions": records.versions(DISTRIBUTIONS),
            "budgets": {name: asdict(budget) for name, budget in contest.budgets.items()},
            "seeds": list(contest.seeds),
            "results": results,
        }
        records.write(path, record)
    write_page(arguments.page, table.sections(records.read(path)))
    print(f"{path}\n{arguments.page}")
    return 0
