"""A degrader of any kind, learned from two folders by the name of its kind."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from flowkit_deflow.degraders.learning.learn import learn_by
from flowkit_deflow.degraders.learning.learner import SETTINGS, Learner
from flowkit_deflow.degraders.learning.registry import LEARNERS
from flowkit_deflow.errors import UserError
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.settings.catalogue import settings
from flowkit_deflow.settings.config_file import read_config
from flowkit_deflow.settings.degraders import FolderData, MixtureRun
from flowkit_deflow.settings.presets import DEFAULT_PRESET, preset
from flowkit_deflow.settings.restoration import RestorerRun
from flowkit_deflow.settings.text import assignments, override, read_run, read_yaml
from flowkit_deflow.training.resuming import settings_file
from flowkit_deflow.training.run_settings import goes_on, has_begun
from flowkit_deflow.training.trainer import train

__all__ = ["KINDS", "changes_for", "kind_of_run", "learn_for_restorer", "learn_kind", "preset_of", "require_kind"]

T = TypeVar("T")

KINDS = (DeFlow.kind, *LEARNERS)
"""The kinds of degraders that can be learned."""


def kind_of_run(out: Path) -> str:
    """The kind of degrader that a folder's run learns: DeFlow where it holds none of another kind.

    Raises:
        UserError: its settings cannot be read.
    """
    recorded = out / SETTINGS
    return str(read_yaml(recorded).get("degrader", DeFlow.kind)) if recorded.exists() else DeFlow.kind


def changes_for(kind: str, options: Mapping[str, tuple[str, object]]) -> list[str]:
    """Options of the command line as changes to the settings of a kind of degrader.

    Args:
        kind: any but DeFlow.
        options: by the setting's name, the option and its value; ``None`` if it was not given.

    Raises:
        UserError: the kind is unknown, or has no setting for an option that was given.

    Examples:
        >>> changes_for("impressionism", {"training.seed": ("--seed", 3)})
        ['seed=3']
        >>> changes_for("white", {"training.steps": ("--steps", 3)})
        Traceback (most recent call last):
        ...
        flowkit_deflow.errors.UserError: --steps: the degrader 'white' has no such setting; leave it out
    """
    given = _own_names(kind, {name: (name, value) for name, (_, value) in options.items()})
    taken = {name for name, _ in given.values()}
    for name, (option, value) in options.items():
        if name not in taken and value is not None:
            raise UserError(f"{option}: the degrader {kind!r} has no such setting; leave it out")
    return assignments({own: value for own, (_, value) in given.items()})


def _own_names(kind: str, values: Mapping[str, T]) -> dict[str, T]:
    """Values by the names that the settings of a kind have for them; without those that they have no name for."""
    known = {setting.name for setting in settings(type(_learner(kind).preset(None)))}
    names = {name: next((own for own in (name, name.partition(".")[2]) if own in known), None) for name in values}
    return {own: values[name] for name, own in names.items() if own is not None}


def learn_kind(
    kind: str, name: str | None, config: Path | None, changes: Sequence[str], out: Path
) -> tuple[FolderData, list[str]]:
    """Learn a degrader of any kind but DeFlow, or go on with a run, by its own settings where none are named.

    Args:
        kind: the kind.
        name: of its preset; ``None`` for the usual one.
        config: a file of settings, instead of a preset.
        changes: to the settings, as ``name=value``.
        out: folder of the run.

    Returns:
        The folders that it was learned from, and a message for each image that could not be used.

    Raises:
        UserError: the kind, the preset or a setting is unknown, or does not fit.
    """
    learner = _learner(kind)
    run: Any = learner.preset(name)
    recorded = out / SETTINGS
    if has_begun(recorded) and kind_of_run(out) != kind:
        raise UserError(f"{out}: holds a run of the degrader {kind_of_run(out)!r}, not {kind!r}; choose another --out")
    begins = any(change.startswith("data.degraded=") for change in changes)
    if config is None and name is None and goes_on(recorded, begins):
        config = recorded
    if config is not None:
        run = read_config(type(run), config)
    run = override(run, changes)
    return run.data, learn_by(learner, run, out).problems


def require_kind(kind: str, name: str | None = None) -> None:
    """Check a degrader that a restorer is to learn for itself, before anything is written.

    Args:
        kind: the degrader's kind.
        name: its preset; ``None`` for the usual one.

    Raises:
        UserError: the kind or the preset is unknown, or the kind is not learned from two folders.
    """
    if kind == MixtureRun.degrader:
        raise UserError(
            f"--degrader {kind}: is made of degraders that were learned; make it by deflow train --degrader {kind} "
            "--set mixture.folders=[A,B] --out RUN, and give --degrader RUN/model"
        )
    if kind not in KINDS:
        raise UserError(
            f"--degrader {kind}: is neither a folder nor a kind that can be learned; these are: {', '.join(KINDS)}"
        )
    preset_of(kind, name)


def preset_of(kind: str, name: str | None = None) -> Any:
    """The settings of a kind of degrader by name; ``None`` for the usual ones.

    Raises:
        UserError: the kind or the preset is unknown.

    Examples:
        >>> preset_of("white", "uniform").noise.uniform
        True
    """
    return preset(name or DEFAULT_PRESET) if kind == DeFlow.kind else _learner(kind).preset(name)


def learn_for_restorer(run: RestorerRun, kind: str, degraded: Path | None, out: Path, name: str | None) -> list[str]:
    """Learn a degrader on the clean images, as small as the degraded ones, and on the degraded ones; or go on with it.

    Args:
        run: the restoration network's settings: clean images, scale, seed.
        kind: the degrader's kind.
        degraded: folder of degraded images; ``None``: that of the run that goes on.
        out: folder of the degrader's run.
        name: its preset; ``None`` for the run's, or the usual one.

    Returns:
        A message for each image that could not be used.

    Raises:
        UserError: a folder or setting does not fit.
    """
    scale: Any = run.architecture.scale
    given = {"data.clean": run.data.clean, "data.degraded": degraded, "data.strict": run.data.strict}
    training = {"training.seed": run.training.seed, "training.accelerator": run.training.accelerator}
    if kind != DeFlow.kind:
        known = _own_names(kind, training)
        changes = assignments(given | known | {"data.clean_downsample": scale})
        return learn_kind(kind, name, None, changes, out)[1]
    changes = assignments(given | training | {"data.clean_downsample": [scale]})
    recorded = settings_file(out)
    begun = name is None and goes_on(recorded, begins=degraded is not None)
    return train(override(read_run(recorded) if begun else preset(name or DEFAULT_PRESET), changes), out)[1]


def _learner(kind: str) -> Learner:
    if kind not in LEARNERS:
        raise UserError(f"degrader {kind!r} is unknown; there are: {', '.join(KINDS)}")
    return LEARNERS[kind]
