"""The settings of a run that was begun, which may not change while it goes on."""

from pathlib import Path
from typing import Any, TypeVar

from flowkit_deflow.errors import UserError
from flowkit_deflow.settings.text import read_settings, to_dict
from flowkit_deflow.training.checkpoint_io import last_checkpoint

__all__ = ["require_same_settings"]

T = TypeVar("T")


def require_same_settings(settings: T, recorded: Path) -> None:
    """Check that a run goes on with the settings that it began with, if it has a checkpoint or a model.

    Args:
        settings: those asked for.
        recorded: the file of those that it began with.

    Raises:
        UserError: they differ; the first difference is named.
    """
    out = recorded.parent
    if not recorded.exists() or not (last_checkpoint(out).exists() or (out / "model").exists()):
        return
    known, wanted = to_dict(read_settings(type(settings), recorded)), to_dict(settings)
    if known != wanted:
        raise UserError(
            f"{recorded.parent}: holds a run with other settings ({_first_difference(known, wanted)}); "
            "choose another --out, or remove it"
        )


def _first_difference(recorded: dict[str, Any], wanted: dict[str, Any], prefix: str = "") -> str:
    for name, value in wanted.items():
        if value != recorded[name]:
            if isinstance(value, dict) and isinstance(recorded[name], dict):
                return _first_difference(recorded[name], value, f"{prefix}{name}.")
            return f"{prefix}{name} was {recorded[name]!r}, now {value!r}"
    return "none named"
