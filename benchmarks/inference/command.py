"""``python -m benchmarks inference``: train, sample, judge and time, and write the record and the page."""

import argparse
import time
from pathlib import Path
from typing import Any

from benchmarks import record as records
from benchmarks.outputs import add_outputs
from benchmarks.page import write_page

__all__ = ["add"]

DISTRIBUTIONS = ("torch", "zuko", "pyro-ppl", "scikit-learn", "pytest-benchmark")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    command = commands.add_parser(
        "inference",
        help="variational inference, posterior estimation and NeuTra beside zuko and Pyro",
        description="Trains flows of flowkit, zuko and Pyro on densities and simulators whose truth is known, judges "
        "their samples, and times a training step or a gradient of each in turn. What WORK holds already is not "
        "computed again. Writes OUT/inference.json and the tables of PAGE.",
    )
    command.add_argument(
        "--quick",
        dest="contests",
        action="store_const",
        const="quick",
        default="record",
        help="one problem of each kind, too short to compare",
    )
    command.add_argument("--rounds", type=int, help="timed runs of each; default 7, 2 with --quick")
    command.add_argument("--workers", type=int, default=2, help="processes of one thread each; default %(default)s")
    command.add_argument("--work", type=Path, default=Path("inference_work"), help="folder of the results so far")
    add_outputs(command, "inference", "no measurements: tables of OUT as it is")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; the exit status."""
    # Here, so that help and the other commands work without what only this one needs.
    from benchmarks.inference import table

    path = arguments.out / "inference.json"
    if not arguments.tables_only:
        rounds = arguments.rounds or (2 if arguments.contests == "quick" else 7)
        records.write(path, _measure(arguments.contests, arguments.work, arguments.workers, rounds))
    write_page(arguments.page, table.sections(records.read(path)))
    print(f"{path}\n{arguments.page}")
    return 0


def _measure(chosen: str, work: Path, workers: int, rounds: int) -> dict[str, Any]:
    from functools import partial

    import torch

    from benchmarks.alternating import run_file
    from benchmarks.bench_options import Options, arguments
    from benchmarks.inference.cells import measured
    from benchmarks.inference.comparison import summarise
    from benchmarks.inference.suite import CONTESTS, described, jobs
    from benchmarks.peers.cases import CALLS
    from benchmarks.pool import share_out

    contests = CONTESTS[chosen]
    cells = list(share_out(partial(measured, folder=work), jobs(contests), workers))
    start = time.monotonic()
    runs = run_file(Path(__file__).with_name("bench.py"), arguments(Options(chosen, rounds)))
    # Cells that were there already count with the time that they took.
    minutes = sum(cell["minutes"] for cell in cells) / workers + (time.monotonic() - start) / 60
    return {
        "command": "python -m benchmarks inference" + ("" if chosen == "record" else f" --{chosen}"),
        "minutes": round(minutes, 1),
        "machine": records.machine(),
        "threads": torch.get_num_threads(),
        "workers": workers,
        "rounds": rounds,
        "calls": CALLS,
        "versions": records.versions(DISTRIBUTIONS),
        "contests": [described(contest) for contest in contests],
        "results": summarise(cells),
        "timings": [run.per_call(CALLS).record() for run in runs],
    }
