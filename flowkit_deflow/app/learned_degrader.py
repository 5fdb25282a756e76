"""A degrader of any kind, learned from two folders by the name of its kind."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flowkit_deflow.degraders.learning.learn import learn_by
from flowkit_deflow.degraders.learning.learner import SETTINGS, Learner
from flowkit_deflow.degraders.learning.registry import LEARNERS
from flowkit_deflow.errors import UserError
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.settings.presets import DEFAULT_PRESET, preset
from flowkit_deflow.settings.restoration import RestorerRun
from flowkit_deflow.settings.text import assignments, override, read_settings, read_yaml
from flowkit_deflow.training.run_settings import has_begun
from flowkit_deflow.training.trainer import train

__all__ = ["KINDS", "kind_of_run", "learn_for_restorer", "learn_kind"]

KINDS = (DeFlow.kind, *LEARNERS)
"""The kinds of degraders that can be learned."""


def kind_of_run(out: Path) -> str:
    """The kind of degrader that a folder's run learns: DeFlow where it holds none of another kind.

    Raises:
        UserError: its settings cannot be read.
    """
    recorded = out / SETTINGS
    return str(read_yaml(recorded).get("degrader", DeFlow.kind)) if recorded.exists() else DeFlow.kind


def learn_kind(kind: str, name: str | None, config: Path | None, changes: Sequence[str], out: Path) -> list[str]:
    """Learn a degrader of any kind but DeFlow, or go on with a run, by its own settings where none are named.

    Args:
        kind: the kind.
        name: of its preset; ``None`` for the usual one.
        config: a file of settings, instead of a preset.
        changes: to the settings, as ``name=value``.
        out: folder of the run.

    Returns:
        A message for each image that could not be used.

    Raises:
        UserError: the kind, the preset or a setting is unknown, or does not fit.
    """
    learner = _learner(kind)
    run: Any = learner.preset(name)
    if config is None and name is None and has_begun(out / SETTINGS):
        config = out / SETTINGS
    if config is not None:
        run = read_settings(type(run), config)
    return learn_by(learner, override(run, changes), out).problems


def learn_for_restorer(run: RestorerRun, kind: str, degraded: Path | None, out: Path, name: str | None) -> list[str]:
    """Learn a degrader on the clean images, as small as the degraded ones, and on the degraded ones; or go on with it.

    Args:
        run: the restoration network's settings: clean images, scale, seed.
        kind: the degrader's kind.
        degraded: folder of degraded images.
        out: folder of the degrader's run.
        name: its preset; ``None`` for the usual one.

    Returns:
        A message for each image that could not be used.

    Raises:
        UserError: a folder or setting does not fit.
    """
    scale: Any = run.architecture.scale
    given = {"data.clean": run.data.clean, "data.degraded": degraded, "data.strict": run.data.strict}
    if kind != DeFlow.kind:
        return learn_kind(kind, name, None, assignments(given | {"data.clean_downsample": scale}), out)
    training = {"training.seed": run.training.seed, "training.accelerator": run.training.accelerator}
    changes = assignments(given | training | {"data.clean_downsample": [scale]})
    return train(override(preset(name or DEFAULT_PRESET), changes), out)[1]


def _learner(kind: str) -> Learner:
    if kind not in LEARNERS:
        raise UserError(f"degrader {kind!r} is unknown; there are: {', '.join(KINDS)}")
    return LEARNERS[kind]
