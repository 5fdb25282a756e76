"""``python -m benchmarks gpu``: run all sections, write the record as rows come, and print and file the tables."""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import record as records
from benchmarks.gpu.section import SECTIONS
from benchmarks.outputs import add_outputs
from benchmarks.page import write_page

__all__ = ["add"]

DISTRIBUTIONS = ("torch", "triton", "numpy", "einops", "pydantic", "nflows", "normflows", "zuko", "FrEIA")
INTERRUPTED = 130
"""The exit status of a program that was interrupted, as shells have it."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    command = commands.add_parser(
        "gpu",
        help="all that there is to measure on one GPU, in under 9 minutes",
        description="Measures throughput, degrading, training, memory, arithmetic and the peers' works on one GPU, and "
        "compares values with the published program's and the CPU's; writes OUT/gpu.json as rows come, and the tables "
        "of PAGE.",
    )
    command.add_argument("--device", default="cuda", help="default %(default)s")
    command.add_argument("--quick", action="store_true", help="works too small to compare; shows that all of it runs")
    command.add_argument("--minutes", type=float, default=8.5, help="for all of it; default %(default)s")
    command.add_argument("--only", metavar="NAME", nargs="+", choices=list(SECTIONS), help="only these sections")
    add_outputs(command, "gpu", "no measurements: tables of OUT as it is")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; the exit status."""
    # Here, so that help and the other commands work without what only this one needs.
    from benchmarks.gpu import table

    path = arguments.out / "gpu.json"
    status = 0
    if not arguments.tables_only:
        try:
            _measure(arguments, path)
        except KeyboardInterrupt:
            print(f"interrupted: what was measured so far is in {path}")
            status = INTERRUPTED
    record = records.read(path)
    parts = table.sections(record)
    print("\n\n".join(parts.values()))
    print(path)
    if arguments.page.exists():
        write_page(arguments.page, parts)
        print(arguments.page)
    return status


def _measure(arguments: argparse.Namespace, path: Path) -> None:
    import torch

    from benchmarks.gpu.runner import run_sections

    options = ["--device", arguments.device, *(["--quick"] if arguments.quick else [])]
    start = time.monotonic()
    record: dict[str, Any] = {
        "command": f"python -m benchmarks gpu {' '.join(options)}",
        "minutes": 0.0,
        "machine": records.machine(),
        "threads": torch.get_num_threads(),
        "versions": records.versions(DISTRIBUTIONS, missing_too=True) | _toolkit(),
        "sections": {},
    }

    def save(sections: dict[str, Any]) -> None:
        minutes = round((time.monotonic() - start) / 60, 1)
        records.write(path, record | {"minutes": minutes, "sections": sections})

    save({})
    chosen = {name: section for name, section in SECTIONS.items() if name in (arguments.only or SECTIONS)}
    seconds = 60 * arguments.minutes
    if arguments.quick:
        # What is tested is that it runs, on a machine that may be busy: none has to leave time for the others.
        chosen = {name: replace(section, seconds=seconds) for name, section in chosen.items()}
    run_sections(chosen, options, seconds, save)


def _toolkit() -> dict[str, str]:
    """Of what the GPU is driven by."""
    import torch

    cudnn = torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None
    return {"CUDA": str(torch.version.cuda or "none"), "cuDNN": str(cudnn or "none")}
