"""``python -m benchmarks density``: train, compare, and write the record, the pictures and the page."""

import argparse
import json
import time
from pathlib import Path
from typing import Any

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
    command.add_argument(
        "--only",
        nargs="+",
        default=(),
        metavar="GROUP",
        help="train the models of these groups anew (toys, pixels, ...), in place of theirs in the record, which has "
        "to have been made in the same way",
    )
    command.add_argument("--workers", type=int, default=2, help="processes of one thread each; default %(default)s")
    command.add_argument("--images", type=Path, default=DOCS / "images/density", help="default %(default)s")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; the exit status."""
    # Here, so that help and the other commands work without what only this one needs.
    from benchmarks.density import comparison, pictures, suite, table
    from benchmarks.density.runs import run_all

    path = arguments.out / "density.json"
    if arguments.tables_only and arguments.only:
        raise SystemExit("--only trains models anew, and --tables-only trains none; choose one of them")
    if not arguments.tables_only:
        groups = {group.name: group for group in (suite.QUICK if arguments.quick else suite.RECORD)}
        if unknown := [name for name in arguments.only if name not in groups]:
            raise SystemExit(f"--only {unknown[0]!r}: no such group; there are {', '.join(map(repr, groups))}")
        made_by = {
            "command": "python -m benchmarks density" + (" --quick" if arguments.quick else ""),
            "workers": arguments.workers,
            "machine": records.machine(),
            "versions": records.versions(DISTRIBUTIONS),
            "settings": suite.settings(list(groups.values())),
        }
        kept = _to_be_kept(path, made_by) if arguments.only else {"results": []}
        start = time.monotonic()
        chosen = [group for name, group in groups.items() if name in (arguments.only or groups)]
        runs = list(run_all(suite.jobs(chosen), arguments.workers))
        minutes = kept.get("minutes", round((time.monotonic() - start) / 60, 1))
        results = comparison.beside(kept["results"], comparison.summarise(runs))
        records.write(path, made_by | {"minutes": minutes, "results": results})
        pictures.draw_densities(runs, arguments.images)
    record = records.read(path)
    pictures.draw_differences(record, arguments.images)
    write_page(arguments.page, table.sections(record))
    print(f"{path}\n{arguments.images}\n{arguments.page}")
    return 0


def _to_be_kept(path: Path, made_by: dict[str, Any]) -> dict[str, Any]:
    """The record in which some groups are trained anew.

    Raises:
        SystemExit: it is not there, or was made otherwise, so that their figures cannot stand beside its own.
    """
    if not path.exists():
        raise SystemExit(f"--only trains groups of a record anew, and {path} is not there; leave --only out")
    record = records.read(path)
    # As JSON has it: a tuple is a list there.
    for name, here in json.loads(json.dumps(made_by)).items():
        if record.get(name) != here:
            raise SystemExit(f"--only: {path} was made with other {name} than would be used now; leave --only out")
    return record
