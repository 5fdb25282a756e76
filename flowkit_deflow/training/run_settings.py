"""The settings of a run that has begun: which of them may change while it goes on, and what they point at."""

import json
import logging
from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from flowkit_deflow.errors import UserError
from flowkit_deflow.files import write_text
from flowkit_deflow.model_folder import RUN_SETTINGS
from flowkit_deflow.settings.catalogue import settings as settings_in
from flowkit_deflow.settings.differences import Difference, differences
from flowkit_deflow.settings.sorts import Sort
from flowkit_deflow.settings.text import read_settings, to_yaml
from flowkit_deflow.training.changes import CHANGED, has_diverged, note_change
from flowkit_deflow.training.checkpoint_io import good_checkpoint, last_checkpoint, steps_of
from flowkit_deflow.training.fingerprints import Fingerprint, fingerprint_of

__all__ = [
    "STEPS",
    "goes_on",
    "has_begun",
    "keep_settings",
    "require_no_other_run",
    "require_resumable",
    "require_same_content",
    "require_same_result",
]

STEPS = "training.steps"
RATE = "training.learning_rate"
SOURCES = "sources.json"

T = TypeVar("T")

log = logging.getLogger(__name__)


def has_begun(recorded: Path) -> bool:
    """Whether a run has a checkpoint or a model: one that failed before ties nothing.

    Args:
        recorded: the file of its settings.
    """
    out = recorded.parent
    results = (last_checkpoint(out), good_checkpoint(out), out / "model")
    return recorded.exists() and any(result.exists() for result in results)


def goes_on(recorded: Path, begins: bool) -> bool:
    """Whether a command takes its settings from a run: a run that failed early ties nothing, but can be asked for.

    Args:
        recorded: the file of the run's settings.
        begins: the command says what a new run needs.
    """
    return recorded.exists() and (has_begun(recorded) or not begins)


def require_no_other_run(recorded: Path) -> None:
    """Check that a folder holds no run of another kind, whose model and checkpoints would be written over.

    Args:
        recorded: the file of the settings of the run that is to be there.

    Raises:
        UserError: it does.
    """
    for name in RUN_SETTINGS:
        other = recorded.with_name(name)
        if other != recorded and has_begun(other):
            raise UserError(
                f"{recorded.parent}: holds a run of another kind, whose settings are in {name}; choose another --out"
            )


def require_resumable(settings: T, recorded: Path) -> None:
    """Check that a run goes on with its settings, or with others that do not change what is learned.

    Args:
        settings: those asked for.
        recorded: the file of those that it began with.

    Raises:
        UserError: the folder holds a run of another kind, a setting differs that changes what is learned, or what a
            setting points at is not what it was.
    """
    require_no_other_run(recorded)
    if not has_begun(recorded):
        return
    changed = differences(read_settings(type(settings), recorded), settings)
    require_same_result(changed, recorded.parent)
    out = recorded.parent
    require_same_content(
        _sources_of(out), _fingerprints(settings), f"the run in {out} began with", "choose another --out"
    )


def keep_settings(settings: Any, recorded: Path) -> None:
    """Write down a run's settings, and fingerprints of what they point at; what is new since it began is told.

    Args:
        settings: the settings.
        recorded: the file for them.
    """
    out = recorded.parent
    if has_begun(recorded):
        changed = differences(read_settings(type(settings), recorded), settings)
        if changed:
            log.info(f"Other settings than before: {'; '.join(map(str, changed))}.")
            last = last_checkpoint(out)
            step = steps_of(last) if last.exists() else 0
            note_change(out, step, CHANGED, {each.name: [each.before, each.now] for each in changed})
    write_text(out / SOURCES, json.dumps(_fingerprints(settings), indent=2) + "\n")
    write_text(recorded, to_yaml(settings))


def require_same_result(changed: Sequence[Difference], out: Path) -> None:
    """Refuse settings that would change what a run learns; more steps lengthen it.

    Args:
        changed: in what the settings asked for differ from the run's.
        out: folder of the run.

    Raises:
        UserError: there are some; all of them are named.
    """
    refused = [difference for difference in changed if not _allowed(difference, out)]
    if refused:
        raise UserError(
            f"{out}: holds a run with other settings ({'; '.join(map(str, refused))}); to go on with it, leave them as "
            f"they were{_exceptions(refused)}, or choose another --out"
        )


def require_same_content(
    before: Mapping[str, Fingerprint], now: Mapping[str, Fingerprint], run: str, or_else: str
) -> None:
    """Check that a run goes on with what it began with, wherever that is now.

    Args:
        before: fingerprints of what it began with, by the settings' names; none where nothing is known of it.
        now: those of what its settings point at.
        run: which run that is, for the message, with what it did with the files.
        or_else: what to do otherwise than putting them back.

    Raises:
        UserError: they differ.
    """
    for name, found in now.items():
        known = before.get(name)
        if before and known != found:
            raise UserError(
                f"setting '{name}': these files are not those that {run} "
                f"({known.files if known else 'none'} then, {found.files} now); put them back, or {or_else}"
            )


def _allowed(difference: Difference, out: Path) -> bool:
    if difference.name == STEPS:
        return bool(difference.now > difference.before)
    if difference.name == RATE:
        return bool(difference.now < difference.before) and has_diverged(out)
    if difference.sort is Sort.PLACE:
        # What is trained on stays; weights to start from are read at the start alone.
        return difference.now is not None or difference.name.startswith("training.")
    return difference.sort is Sort.SPEED


def _exceptions(refused: Sequence[Difference]) -> str:
    """What could be asked for instead."""
    names = {difference.name for difference in refused}
    if STEPS in names:
        return " (a run can be lengthened by more training.steps, not shortened)"
    if RATE in names:
        return " (the learning rate can be lowered once a run has diverged)"
    return ""


def _fingerprints(settings: Any) -> dict[str, Fingerprint]:
    """Fingerprints of what the settings point at, by their names."""
    found = {}
    for setting in settings_in(type(settings)):
        value = attrgetter(setting.name)(settings)
        if setting.sort is Sort.PLACE and value:
            places = [value] if isinstance(value, str) else value
            found[setting.name] = Fingerprint.together(fingerprint_of(Path(place)) for place in places)
    return found


def _sources_of(out: Path) -> dict[str, Fingerprint]:
    """What a run began with; nothing is known of one of an earlier version."""
    path = out / SOURCES
    if not path.exists():
        return {}
    try:
        return {name: Fingerprint(*values) for name, values in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: cannot be read ({' '.join(str(error).split())}); remove it") from None
