"""What is interrupted: commands of ``deflow``, each with the files that it has to end with."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Work", "works"]


@dataclass(frozen=True)
class Work:
    """A command whose result is files in a folder.

    Attributes:
        name: of the command.
        arguments: of ``deflow``, up to the folder.
        results: patterns of the files that are to be the same, bit for bit, whatever happened on the way.
        trains: whether it has data-loader processes and checkpoints.
    """

    name: str
    arguments: tuple[str, ...]
    results: tuple[str, ...]
    trains: bool = False

    def command(self, out: Path) -> list[str]:
        """The whole command."""
        return [*self.arguments, str(out)]

    def digests(self, out: Path) -> Mapping[str, str]:
        """Hashes of the result's files, by their paths."""
        files = sorted({file for pattern in self.results for file in out.glob(pattern) if file.is_file()})
        return {file.relative_to(out).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    def finished(self, out: Path) -> Mapping[str, int]:
        """Files that the record says are done, with the times of their last changes: they must not be made again."""
        record = out / "manifest.jsonl"
        lines = record.read_text(encoding="utf-8", errors="replace").splitlines() if record.exists() else []
        names = [name for line in lines for name in _done(line)]
        return {name: (out / name).stat().st_mtime_ns for name in names if (out / name).exists()}


def works(data: Path, model: Path) -> list[Work]:
    """All commands.

    Args:
        data: folder of photographs, ``clean`` and ``degraded``.
        model: a model folder.
    """
    clean, degraded = str(data / "clean"), str(data / "degraded")
    images = ("**/*.png",)
    settings = ("training.checkpoint_every=3", "training.monitor_every=10", "training.workers=2", "accelerator=cpu")
    return [
        Work(
            "train",
            (
                *("train", "--clean", clean, "--degraded", degraded, "--preset", "tiny", "--steps", "30"),
                *(part for setting in settings for part in ("--set", setting)),
                "--out",
            ),
            ("model/*", "monitors.csv", "chosen_step.yaml", "run.yaml"),
            trains=True,
        ),
        Work("degrade", ("degrade", str(model), clean, "--samples", "3", "--tile", "64", "--device", "cpu"), images),
        Work("pairs", ("pairs", str(model), clean, "--scale", "2", "--device", "cpu"), images),
    ]


def _done(line: str) -> list[str]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError:
        # Cut short by a kill.
        return []
    return list(record.get("done", []))
