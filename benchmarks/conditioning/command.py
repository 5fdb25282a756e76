"""``python -m benchmarks conditioning``: choose h for each kind, judge every h by pairs, write record and page."""

import argparse
import time
from pathlib import Path
from typing import Any

from benchmarks import record as records
from benchmarks.outputs import DOCS, add_outputs
from benchmarks.page import write_page

__all__ = ["add"]


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    command = commands.add_parser(
        "conditioning",
        help="what factor: auto and h_noise: auto choose for many kinds of noise, against what pairs say is best",
        description="Chooses h from unpaired images and judges all that it chose from by pairs, with a linear-Gaussian "
        "DeFlow; writes OUT/conditioning.json and the table of PAGE.",
    )
    add_outputs(command, "conditioning", "no measurements: the table of OUT as it is")
    command.set_defaults(run=run, page=DOCS / "explanation" / "conditioning.md")
    command.add_argument("--photographs", type=Path, help="folder of clean photographs, such as BSDS500's")
    command.add_argument("--polyu", type=Path, help="folder of PolyU: dev/clean, dev/noisy and unpaired_split.json")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; the exit status."""
    from benchmarks.conditioning import table

    path = arguments.out / "conditioning.json"
    if not arguments.tables_only:
        if arguments.photographs is None or arguments.polyu is None:
            raise SystemExit("conditioning needs --photographs and --polyu, or --tables-only")
        records.write(path, _measure(arguments.photographs, arguments.polyu))
    parts = table.sections(records.read(path))
    print("\n\n".join(parts.values()))
    write_page(arguments.page, parts)
    print(f"{path}\n{arguments.page}")
    return 0


def _measure(photographs: Path, polyu: Path) -> dict[str, Any]:
    import torch

    from benchmarks.conditioning.measuring import measured
    from benchmarks.conditioning.sets import sets

    start = time.monotonic()
    kinds = []
    for unpaired in sets(photographs, polyu):
        kinds.append(measured(unpaired))
        print(f"{unpaired.name}: {kinds[-1]['chosen']}", flush=True)
    return {
        "command": "python -m benchmarks conditioning",
        "minutes": round((time.monotonic() - start) / 60, 1),
        "machine": records.machine(),
        "threads": torch.get_num_threads(),
        "versions": records.versions(("torch",)),
        "kinds": kinds,
    }
