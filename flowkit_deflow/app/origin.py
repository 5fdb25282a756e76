"""What results were made with, and what of."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

__all__ = ["Origin", "SourceFile"]


@dataclass(frozen=True)
class Origin:
    """What decides results, besides the images: two runs of one origin write the same files.

    Attributes:
        command: of ``deflow``.
        model: hash of the model's files; ``None`` without one.
        settings: everything else, as values that JSON can hold.
    """

    command: str
    model: str | None
    settings: Mapping[str, Any]

    @property
    def run(self) -> str:
        """A hash of it, by which records refer to it.

        Examples:
            >>> Origin("degrade", None, {"seed": 0}).run == Origin("degrade", None, {"seed": 1}).run
            False
        """
        text = json.dumps([self.command, self.model, dict(self.settings)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def differences(self, other: Self) -> list[str]:
        """What another origin has otherwise, as text.

        Examples:
            >>> Origin("degrade", None, {"temperature": 3.0}).differences(Origin("degrade", None, {"temperature": 1.0}))
            ['temperature was 1.0, is 3.0']
        """
        before, now = other._values(), self._values()
        names = dict.fromkeys([*before, *now])
        return [
            f"{name} was {before.get(name)}, is {now.get(name)}" if name != "model" else "it was another model"
            for name in names
            if before.get(name) != now.get(name)
        ]

    def _values(self) -> dict[str, Any]:
        return {"command": self.command, "model": self.model} | dict(self.settings)


@dataclass(frozen=True)
class SourceFile:
    """A file that results were made of, as it was then.

    Attributes:
        path: where it lay.
        size: in bytes.
        modified: time of its last change, in nanoseconds since 1970.
        sha256: of its content.
    """

    path: str
    size: int
    modified: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Self:
        """The file as it is now."""
        state = path.stat()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(str(path), state.st_size, state.st_mtime_ns, digest)

    def is_still(self, path: Path) -> bool:
        """Whether a file is the same; one of the same size and time of change is taken for the same unread."""
        state = path.stat()
        if state.st_size != self.size:
            return False
        return state.st_mtime_ns == self.modified or SourceFile.of(path).sha256 == self.sha256
