"""What the results in a folder were made with: a record that lies beside them."""

import glob
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from flowkit_deflow.app.jobs import Job, Shard, is_one_file
from flowkit_deflow.app.origin import Origin, SourceFile
from flowkit_deflow.errors import UserError
from flowkit_deflow.files import append_line

__all__ = ["MANIFEST", "Made", "Manifest"]

MANIFEST = "manifest.jsonl"


@dataclass(frozen=True)
class Made:
    """How one result came about.

    Attributes:
        at: when that was written down, as a text that sorts by time.
        run: hash of its origin.
        source: the file that it was made of; ``None`` while it is being made.
    """

    at: str
    run: str
    source: SourceFile | None


@dataclass
class Manifest:
    """The record of a folder's results: lines of JSON, appended as they come.

    - ``{"run": ..., "command": ..., "model": ..., "settings": ..., ...}``: an origin, with the command as it was given
      and the time;
    - ``{"begun": [files], "run": ...}``: these files are about to be written;
    - ``{"done": [files], "run": ..., "source": {...}, "seconds": ..., ...}``: they were.

    It is the one file that grows in place: each line is written at once, and a line that a crash cut short is passed
    over when it is read. A file that is begun but not done is made anew.

    Attributes:
        folder: of the results.
        path: the file that this run appends to.
        origins: all origins that the folder's records name, by their hash.
        made: how each result came about, by its path within the folder.
    """

    folder: Path
    path: Path
    origins: dict[str, Origin] = field(default_factory=dict)
    made: dict[str, Made] = field(default_factory=dict)

    @classmethod
    def beside(cls, source: Path, target: Path, shard: Shard | None = None) -> Self:
        """Read what is known of a place for results.

        Each shard writes a file of its own, so that machines that share a folder do not write into one; all are read.

        Args:
            source: the folder of images, or an image.
            target: the folder; or, of a single image, the file to write.
            shard: which share of the work is done here.

        Raises:
            UserError: a record cannot be read.
        """
        single = is_one_file(source, target)
        folder = target.parent if single else target
        name = f"{target.name}.{MANIFEST}" if single else MANIFEST
        own = name if shard is None else name.replace(".jsonl", f".{shard.number}-of-{shard.total}.jsonl")
        manifest = cls(folder, folder / own)
        for path in sorted(folder.glob(glob.escape(name.removesuffix(".jsonl")) + "*.jsonl")):
            try:
                manifest._read(path.read_text(encoding="utf-8", errors="replace"))
            except OSError as error:
                raise UserError(f"cannot read '{path}': {error.strerror}; check its permissions") from error
        return manifest

    def _read(self, text: str) -> None:
        for line in text.splitlines():
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                # A crash cut it short; what it told of is made anew.
                continue
            match record:
                case {"begun": [*files], "run": str(run), "at": str(at)}:
                    self._note(files, Made(at, run, None))
                case {
                    "done": [*files],
                    "run": str(run),
                    "at": str(at),
                    "source": {"path": str(path), "size": int(size), "modified": int(modified), "sha256": str(sha256)},
                }:
                    self._note(files, Made(at, run, SourceFile(path, size, modified, sha256)))
                case {"run": str(run), "command": str(command), "model": model, "settings": {**settings}}:
                    self.origins[run] = Origin(command, model, {str(name): value for name, value in settings.items()})

    def _note(self, files: Sequence[str], made: Made) -> None:
        # Several shards' files may tell of one result: the last word counts.
        self.made |= {file: made for file in files if file not in self.made or self.made[file].at <= made.at}

    def is_done(self, job: Job, origin: Origin) -> bool:
        """Whether all results of a job are there and were made of the same file with the same origin."""
        made: Made | None = None
        for target in job.targets:
            made = self.made.get(self._name(target))
            if made is None or made.source is None or made.run != origin.run or not target.exists():
                return False
        return made is not None and made.source is not None and made.source.is_still(job.source)

    def why_not_replaced(self, job: Job, origin: Origin) -> str | None:
        """What keeps a job from replacing the results that are there; ``None``: nothing does.

        Results that this very origin began or made of the same file may be replaced: they come out the same.
        """
        for target in job.targets:
            made = self.made.get(self._name(target))
            if not target.exists():
                continue
            if made is None:
                return f"no {MANIFEST} says how they were made"
            if made.run != origin.run:
                before = self.origins.get(made.run)
                return "; ".join(origin.differences(before)) if before else f"{MANIFEST} does not say how"
            if made.source is not None and not made.source.is_still(job.source):
                return "the images have changed since"
        return None

    def difference_of_others(self, jobs: Sequence[Job], origin: Origin) -> str | None:
        """How other results that are still there were made, if not with this origin; ``None`` if there are none.

        Args:
            jobs: whose results do not count.
            origin: the origin.
        """
        own = {name for job in jobs for name in self._names(job.targets)}
        for name, made in self.made.items():
            before = self.origins.get(made.run)
            if before is not None and made.run != origin.run and name not in own and (self.folder / name).exists():
                return f"{name}: {'; '.join(origin.differences(before))}"
        return None

    def start(self, origin: Origin, notes: Mapping[str, Any]) -> None:
        """Write that a run starts.

        Args:
            origin: of what it will write.
            notes: what else is worth knowing of it.
        """
        self._append(
            {
                "run": origin.run,
                "command": origin.command,
                "model": origin.model,
                "settings": dict(origin.settings),
                "given": sys.argv[1:],
                "version": version("flowkit-deflow"),
                "at": _now(),
                **notes,
            }
        )

    def begin(self, job: Job, origin: Origin) -> None:
        """Write that a job's results are about to be written."""
        self._append({"begun": self._names(job.targets), "run": origin.run, "at": _now()})

    def finish(self, job: Job, origin: Origin, source: SourceFile, notes: Mapping[str, Any]) -> None:
        """Write that they are there.

        Args:
            job: whose.
            origin: of the results.
            source: the image as it was read.
            notes: what else is worth knowing of them.
        """
        record: dict[str, Any] = {
            "done": self._names(job.targets),
            "run": origin.run,
            "at": _now(),
            "source": asdict(source),
        }
        self._append({**record, **notes})

    def _names(self, targets: Sequence[Path]) -> list[str]:
        return [self._name(target) for target in targets]

    def _name(self, target: Path) -> str:
        return target.relative_to(self.folder).as_posix()

    def _append(self, record: Mapping[str, Any]) -> None:
        append_line(self.path, json.dumps(record))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
