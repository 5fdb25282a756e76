"""``python -m benchmarks peers``: time, weigh, print the tables, and write the record and the page."""

import argparse
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import record as records
from benchmarks.outputs import add_outputs
from benchmarks.page import write_page

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
    add_outputs(command, "peers", "no timings: tables of OUT as it is")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; the exit status."""
    # Here, so that help and the other commands work without what only this one needs.
    from benchmarks.peers import table

    path = arguments.out / "peers.json"
    if not arguments.tables_only:
        rounds = arguments.rounds or (2 if arguments.works == "quick" else 7)
        records.write(path, _measure(arguments.works, rounds))
    record = records.read(path)
    parts = table.sections(record)
    print("\n\n".join(parts.values()))
    print(path)
    if arguments.page.exists():
        write_page(arguments.page, parts)
        print(arguments.page)
    return 0


def _measure(chosen: str, rounds: int) -> dict[str, Any]:
    import torch

    from benchmarks.alternating import run_file
    from benchmarks.bench_options import Options, arguments
    from benchmarks.peers.cases import CALLS
    from benchmarks.peers.libraries import LIBRARIES, build, takes_part
    from benchmarks.peers.measured import PHASES, saved_bytes
    from benchmarks.peers.table import OWN
    from benchmarks.peers.work import GRIDS
    from benchmarks.products import products

    works = GRIDS[chosen]
    start = time.monotonic()
    runs = run_file(Path(__file__).with_name("bench.py"), arguments(Options(chosen, rounds)))
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
    return {
        "command": "python -m benchmarks peers" + ("" if chosen == "record" else f" --{chosen}"),
        "minutes": round((time.monotonic() - start) / 60, 1),
        "machine": records.machine(),
        "threads": torch.get_num_threads(),
        "rounds": rounds,
        "calls": CALLS,
        "versions": records.versions(DISTRIBUTIONS),
        "works": {name: asdict(work) for name, work in works.items()},
        "timings": [run.per_call(CALLS).record() for run in runs],
        "multiply_adds": multiply_adds,
        "models": models,
    }
