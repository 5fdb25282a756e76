"""``python -m benchmarks peers``: time, weigh, print the tables, and write the record and the page."""

import argparse
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import record as records
from benchmarks.outputs import add_outputs
from benchmarks.page import write_page

if TYPE_CHECKING:
    from benchmarks.bench_options import Options

__all__ = ["add"]

DISTRIBUTIONS = ("torch", "nflows", "normflows", "zuko", "FrEIA", "pyro-ppl", "numpy", "pytest-benchmark")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    command = commands.add_parser(
        "peers",
        help="time and memory of flowkit's models beside those of nflows, normflows, zuko and FrEIA",
        description="Times a training step and samples of the same models in flowkit, nflows, normflows, zuko and "
        "FrEIA, and counts what a training step keeps for its backward pass; writes OUT/peers.json and, where the page "
        "exists, the tables of PAGE.",
    )
    size = command.add_mutually_exclusive_group()
    size.add_argument(
        "--quick",
        dest="works",
        action="store_const",
        const="quick",
        default="record",
        help="works too small to compare, nothing compiled, all in one process",
    )
    size.add_argument(
        "--full",
        dest="works",
        action="store_const",
        const="full",
        help="conditional flows at all contexts and batches, not the grid's diagonal alone; an hour",
    )
    command.add_argument("--rounds", type=int, help="runs of each; default 7, 2 with --quick")
    command.add_argument(
        "--only",
        nargs="+",
        default=(),
        metavar="WORK",
        help="measure these works anew, in place of theirs in the record, which has to have been made in the same way",
    )
    add_outputs(command, "peers", "no timings: tables of OUT as it is")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; the exit status."""
    # Here, so that help and the other commands work without what only this one needs.
    from benchmarks.bench_options import Options
    from benchmarks.peers import table

    path = arguments.out / "peers.json"
    if arguments.tables_only and arguments.only:
        raise SystemExit("--only measures works anew, and --tables-only measures nothing; choose one of them")
    if not arguments.tables_only:
        kept = _to_be_kept(path) if arguments.only else {}
        rounds = arguments.rounds or kept.get("rounds") or (2 if arguments.works == "quick" else 7)
        options = Options(arguments.works, rounds, tuple(arguments.only))
        if kept:
            _require_made_alike(kept, path, options)
        measured = _measure(options)
        records.write(path, _beside(kept, measured) if kept else measured)
    record = records.read(path)
    parts = table.sections(record)
    print("\n\n".join(parts.values()))
    print(path)
    if arguments.page.exists():
        write_page(arguments.page, parts)
        print(arguments.page)
    return 0


def _made_by(options: "Options") -> dict[str, Any]:
    """What has to be the same for all figures of a record."""
    import torch

    from benchmarks.peers.cases import CALLS

    return {
        "machine": records.machine(),
        "threads": torch.get_num_threads(),
        "calls": CALLS,
        "versions": records.versions(DISTRIBUTIONS),
        "rounds": options.rounds,
        "command": "python -m benchmarks peers" + ("" if options.works == "record" else f" --{options.works}"),
    }


def _to_be_kept(path: Path) -> dict[str, Any]:
    """The record in which some works are measured anew."""
    if not path.exists():
        raise SystemExit(f"--only measures works of a record anew, and {path} is not there; leave --only out")
    return records.read(path)


def _require_made_alike(record: dict[str, Any], path: Path, options: "Options") -> None:
    """Check that there are the works, and that their figures can stand beside the record's.

    Raises:
        SystemExit: there is no such work, or the record was made otherwise.
    """
    from benchmarks.peers.work import GRIDS

    works = GRIDS[options.works]
    if unknown := [name for name in options.only if name not in works]:
        raise SystemExit(f"--only {unknown[0]!r}: no such work; there are {', '.join(map(repr, works))}")
    for name, here in _made_by(options).items():
        was = record.get(name)
        if was != here:
            raise SystemExit(f"--only: {name} of {path} is {was}, and would be {here} now; leave --only out")


def _beside(record: dict[str, Any], measured: dict[str, Any]) -> dict[str, Any]:
    """The record with what was measured in place of what it had of the same works."""
    timings = {(timing["group"], timing["name"]): timing for timing in [*record["timings"], *measured["timings"]]}
    by_work = {part: record[part] | measured[part] for part in ("works", "multiply_adds", "models")}
    anew = sorted({*record.get("anew", ()), *measured["works"]})
    return record | {"timings": list(timings.values()), "anew": anew} | by_work


def _measure(options: "Options") -> dict[str, Any]:
    from benchmarks.alternating import run_file
    from benchmarks.bench_options import arguments
    from benchmarks.peers.cases import CALLS
    from benchmarks.peers.libraries import LIBRARIES, build, takes_part
    from benchmarks.peers.measured import PHASES, saved_bytes
    from benchmarks.peers.table import OWN
    from benchmarks.peers.work import GRIDS
    from benchmarks.products import products

    works = options.of(GRIDS[options.works])
    start = time.monotonic()
    runs = run_file(Path(__file__).with_name("bench.py"), arguments(options))
    models: dict[str, dict[str, dict[str, int]]] = {name: {} for name in works}
    multiply_adds = {
        f"{name}, {phase}": products(PHASES[phase](build(OWN, work), work)).multiply_adds
        for name, work in works.items()
        if work.bounded
        for phase in work.phases
    }
    for name, work in works.items():
        for library in filter(lambda library: takes_part(library, work), LIBRARIES):
            model = build(library, work)
            models[name][library] = {"parameters": model.size}
            if not work.family:
                models[name][library]["saved_bytes"] = saved_bytes(model, work)
    return _made_by(options) | {
        "minutes": round((time.monotonic() - start) / 60, 1),
        "works": {name: asdict(work) for name, work in works.items()},
        "timings": [run.per_call(CALLS).record() for run in runs],
        "multiply_adds": multiply_adds,
        "models": models,
    }
