"""``python -m benchmarks memory``: degrade large photographs, measure the memory, and write the record and the page."""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import record as records
from benchmarks.outputs import add_outputs
from benchmarks.page import write_page

__all__ = ["add"]

# Height, width, versions: what grows with the image, what grows with the versions, and both.
CASES = ((1000, 1500, 1), (1000, 1500, 12), (2000, 3000, 1), (4000, 6000, 1), (4000, 6000, 12))


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    command = commands.add_parser(
        "memory",
        help="the memory that deflow degrade takes for large photographs and many versions",
        description="Degrades made-up photographs of several sizes with a model of the preset small, each in a process "
        "of its own, and keeps the most memory that it had; writes OUT/memory.json and the table of PAGE. A case that "
        "is not done after the given minutes is ended: the record says how far it came.",
    )
    add_outputs(command, "memory", "no measurements: the table of OUT as it is")
    command.set_defaults(run=run)
    command.add_argument("--minutes", type=float, default=5.0, help="at most, for each case; default %(default)s")
    command.add_argument("--model", type=Path, help="a model folder; default: one of small, made here in two steps")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; the exit status."""
    from benchmarks.memory import table

    path = arguments.out / "memory.json"
    if not arguments.tables_only:
        with tempfile.TemporaryDirectory() as folder:
            records.write(path, _measure(Path(folder), arguments.model, arguments.minutes))
    parts = table.sections(records.read(path))
    print("\n\n".join(parts.values()))
    write_page(arguments.page, parts)
    print(f"{path}\n{arguments.page}")
    return 0


def _measure(folder: Path, model: Path | None, minutes: float) -> dict[str, Any]:
    import torch

    from benchmarks.made_up import NOISE, picture
    from benchmarks.memory.measured import Case, degrade
    from benchmarks.peak_memory import peak_memory
    from flowkit_deflow.images.image_files import write_image
    from flowkit_deflow.images.noise import seeded_generator

    start = time.monotonic()
    model = model or _small(folder)
    cases = []
    for height, width, samples in CASES:
        photograph = folder / f"{width}x{height}.png"
        if not photograph.exists():
            write_image(photograph, picture(height, width, NOISE / 8, seeded_generator(0, "photograph")))
        case = Case(height, width, samples)
        measured = degrade(model, photograph, case, folder / f"{photograph.stem}-{samples}", minutes)
        cases.append({"height": height, "width": width, "samples": samples, **measured})
        print(cases[-1], flush=True)
    height, width, samples = CASES[-1]
    whole = peak_memory("benchmarks.memory.writing:writing", str(folder / f"{width}x{height}.png"), str(samples))
    return {
        "command": f"python -m benchmarks memory --minutes {minutes:g}",
        "minutes": round((time.monotonic() - start) / 60, 1),
        "machine": records.machine(),
        "threads": torch.get_num_threads(),
        "versions": records.versions(("torch", "numpy", "pillow")),
        "cases": cases,
        "without_network": {"height": height, "width": width, "samples": samples, **whole},
    }


def _small(folder: Path) -> Path:
    """A model of the preset small: what it has learned makes no difference here."""
    from benchmarks.made_up import make_photographs

    make_photographs(folder / "data", count=10, height=96, width=128)
    run = folder / "run"
    command = [sys.executable, "-m", "flowkit_deflow", "train", "--preset", "small", "--steps", "2", "--out", str(run)]
    command += ["--clean", str(folder / "data" / "clean"), "--degraded", str(folder / "data" / "degraded")]
    settings = ("architecture.h_noise=0.06", "training.workers=0", "training.accelerator=cpu", "training.image_every=0")
    command += [part for setting in settings for part in ("--set", setting)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return run / "model"
