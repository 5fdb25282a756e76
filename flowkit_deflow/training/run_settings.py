"""The settings of a run that was begun, which may not change while it goes on."""

from pathlib import Path
from typing import Any, TypeVar

from flowkit_deflow.errors import UserError
from flowkit_deflow.settings.text import read_settings, to_dict
from flowkit_deflow.training.checkpoint_io import last_checkpoint

__all__ = ["has_begun", "require_same_settings"]

T = TypeVar("T")


def has_begun(recorded: Path) -> bool:
    """Whether a run has a checkpoint or a model: one that failed before ties nothing.

    Args:
        recorded: the file of its settings.
    """
    out = recorded.parent
    return recorded.exists() and (last_checkpoint(out).exists() or (out / "model").exists())


def require_same_settings(settings: T, recorded: Path) -> None:
    """Check that a run that has begun goes on with its settings; more ``training.steps`` lengthen it.

    Args:
        settings: those asked for.
        recorded: the file of those that it began with.

    Raises:
        UserError: they differ; the first difference is named.
    """
    if not has_begun(recorded):
        return
    known, wanted = to_dict(read_settings(type(settings), recorded)), to_dict(settings)
    steps, more = (values.get("training", {}).get("steps", 0) for values in (known, wanted))
    if more > steps:
        known["training"]["steps"] = more
    if known != wanted:
        only_longer = " (a run can be lengthened by more training.steps, not shortened)" if more < steps else ""
        raise UserError(
            f"{recorded.parent}: holds a run with other settings ({_first_difference(known, wanted)}); to go on with "
            f"it, leave them as they were{only_longer}, or choose another --out"
        )


def _first_difference(recorded: dict[str, Any], wanted: dict[str, Any], prefix: str = "") -> str:
    for name, value in wanted.items():
        if value != recorded[name]:
            if isinstance(value, dict) and isinstance(recorded[name], dict):
                return _first_difference(recorded[name], value, f"{prefix}{name}.")
            return f"{prefix}{name} was {recorded[name]!r}, now {value!r}"
    return "none named"
