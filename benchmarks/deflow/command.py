"""``python -m benchmarks deflow``: time, weigh and count, print the tables, and write the record and the page."""

import argparse
import time
from pathlib import Path
from typing import Any

from benchmarks import record as records
from benchmarks.outputs import add_outputs
from benchmarks.page import write_page

__all__ = ["add"]

DISTRIBUTIONS = ("torch", "numpy", "pytest-benchmark")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    command = commands.add_parser(
        "deflow",
        help="time, memory and operations of DeFlow's full-size network beside a plain evaluation of it",
        description="Times degrading and training with the full-size AIM network beside a plain evaluation of the same "
        "weights, and counts operations and memory; writes OUT/deflow.json and the tables of PAGE. Takes some 25 "
        "minutes on two CPU cores and 10 GB, which should have nothing else to do.",
    )
    command.add_argument("-k", metavar="EXPRESSION", default="", help="only the benchmarks that match, as pytest's -k")
    add_outputs(command, "deflow", "no measurements: tables of OUT as it is")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; the exit status."""
    # Here, so that help and the other commands work without what only this one needs.
    from benchmarks.deflow import table

    path = arguments.out / "deflow.json"
    if not arguments.tables_only:
        record = _measure(arguments.k)
        if arguments.k:
            print(table.times(record))
            return 0
        records.write(path, record)
    record = records.read(path)
    parts = table.sections(record)
    print("\n\n".join(parts.values()))
    print(path)
    write_page(arguments.page, parts)
    print(arguments.page)
    return 0


def _measure(expression: str) -> dict[str, Any]:
    from dataclasses import asdict

    import torch

    from benchmarks.alternating import run_file
    from benchmarks.deflow.costs import costs
    from benchmarks.deflow.networks import aim
    from benchmarks.deflow.precision import bits_by_precision
    from benchmarks.deflow.works import CHOICES
    from benchmarks.peak_memory import peak_memory

    start = time.monotonic()
    timings = run_file(Path(__file__).with_name("bench.py"), ["-k", expression] if expression else [])
    works = {} if expression else {"training": list(CHOICES), "whole_image": ["plain", "flowkit"]}
    memory = {
        work: {name: peak_memory(f"benchmarks.deflow.works:{work}_work", name) for name in names}
        for work, names in works.items()
    }
    counted = {} if expression else {name: round(value, 4) for name, value in asdict(costs()).items()}
    return {
        "command": "python -m benchmarks deflow",
        "minutes": round((time.monotonic() - start) / 60, 1),
        "machine": records.machine(),
        "threads": torch.get_num_threads(),
        "versions": records.versions(DISTRIBUTIONS),
        "timings": [timing.record() for timing in timings],
        "memory": memory,
        "costs": counted,
        "bits": {} if expression else bits_by_precision(aim().eval()),
    }
