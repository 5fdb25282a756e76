"""What happened to a run after it had begun: ``changes.yaml`` in its folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from flowkit_deflow.errors import UserError
from flowkit_deflow.files import write_text

__all__ = ["CHANGED", "DIVERGED", "has_diverged", "note_change"]

CHANGED = "settings changed"
DIVERGED = "diverged, and went back to this step"


def note_change(run: Path, step: int, event: str, settings: Mapping[str, Any]) -> None:
    """Add an entry to ``changes.yaml``, the oldest first.

    Args:
        run: folder of the run.
        step: the step that the run goes on from.
        event: what happened.
        settings: the settings that changed, each with the value before and after.

    Examples:
        >>> import tempfile
        >>> run = Path(tempfile.mkdtemp())
        >>> note_change(run, 500, CHANGED, {"training.steps": [1000, 2000]})
        >>> has_diverged(run)
        False
    """
    entries = [*_entries(run), {"step": step, "event": event, "settings": dict(settings)}]
    write_text(_path(run), yaml.safe_dump(entries, sort_keys=False))


def has_diverged(run: Path) -> bool:
    """Whether the last thing that happened to a run is that it diverged."""
    entries = _entries(run)
    return bool(entries) and entries[-1]["event"] == DIVERGED


def _path(run: Path) -> Path:
    return run / "changes.yaml"


def _entries(run: Path) -> list[dict[str, Any]]:
    path = _path(run)
    if not path.exists():
        return []
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({' '.join(str(error).split())}); remove it") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "event" in entry for entry in entries):
        raise UserError(f"{path}: holds no list of what happened to the run; remove it")
    return entries
