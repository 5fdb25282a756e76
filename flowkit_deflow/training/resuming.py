"""Going on with a run: what its folder holds, and which settings may be others than before."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from flowkit_deflow.errors import UserError
from flowkit_deflow.settings.differences import Difference, differences
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.settings.text import read_run
from flowkit_deflow.training.checkpoint_io import AtomicCheckpointIO, good_checkpoint, last_checkpoint
from flowkit_deflow.training.fingerprints import Fingerprint, fingerprints_of_weights
from flowkit_deflow.training.run_settings import STEPS, require_no_other_run, require_same_content, require_same_result
from flowkit_deflow.training.schedules import rate_factor

__all__ = ["Begun", "begun", "going_on", "has_begun", "require_same_data", "resumed", "settings_file"]

WEIGHTS = ("training.encoder_weights", "training.initial_model")


class Begun(NamedTuple):
    """A run that has begun: one that has a checkpoint.

    Attributes:
        out: its folder.
        run: its settings, with what was measured for them.
        step: the step of its last checkpoint.
        sources: fingerprints of what it was trained on and started from, by the settings' names; none of a run of an
            earlier version.
    """

    out: Path
    run: Run
    step: int
    sources: Mapping[str, Fingerprint]


def settings_file(out: Path) -> Path:
    """Where a run keeps its settings."""
    return out / "run.yaml"


def has_begun(out: Path) -> bool:
    """Whether a folder holds a run that has begun; one that failed before its first checkpoint has not."""
    return settings_file(out).exists() and (last_checkpoint(out).exists() or good_checkpoint(out).exists())


def begun(out: Path) -> Begun | None:
    """What a folder holds of a run that has begun.

    Raises:
        UserError: its settings or its checkpoint cannot be read, or the folder holds a run of another kind.
    """
    require_no_other_run(settings_file(out))
    if not has_begun(out):
        return None
    run = read_run(settings_file(out))
    last = last_checkpoint(out)
    if not last.exists():
        # The run was killed after its last checkpoint, a good one, had made room for one that was not.
        good_checkpoint(out).replace(last)
    checkpoint = AtomicCheckpointIO().load_checkpoint(last)
    sources = checkpoint["deflow"].get("sources", {})
    return Begun(
        out, run, int(checkpoint["global_step"]), {name: Fingerprint(*values) for name, values in sources.items()}
    )


def resumed(before: Begun, wanted: Run) -> tuple[Run, list[Difference]]:
    """The settings to go on with, and what is new in them.

    Args:
        before: the run.
        wanted: the settings that are asked for.

    Returns:
        The settings, with what was measured before the run began, and the settings that changed.

    Raises:
        UserError: a setting differs that would change what is learned, or names other weights to start from.
    """
    changed = differences(_with_open_settings(before.run, wanted), wanted)
    require_same_result(changed, before.out)
    _require_same_weights(before, wanted, changed)
    return replace(wanted, architecture=before.run.architecture), changed


def going_on(before: Begun, run: Run, changed: Sequence[Difference]) -> Iterator[str]:
    """What is worth telling of a run that goes on.

    Args:
        before: the run.
        run: the settings that it goes on with.
        changed: what is new in them.
    """
    yield f"Going on from step {before.step} of {run.training.steps}."
    if changed:
        yield f"Other settings than before: {'; '.join(map(str, changed))}."
    if any(difference.name == STEPS for difference in changed):
        rates = [
            training.learning_rate * rate_factor(before.step, training)
            for training in (before.run.training, run.training)
        ]
        yield (
            f"The learning rate follows its schedule over {run.training.steps} steps: at step {before.step} it is "
            f"{rates[1]:.2g}, and was {rates[0]:.2g}."
        )


def require_same_data(before: Begun, now: Mapping[str, Fingerprint]) -> None:
    """Check that a run goes on with the images that it began with, wherever they are now.

    Args:
        before: the run.
        now: fingerprints of the images.

    Raises:
        UserError: they are others.
    """
    require_same_content(
        before.sources,
        now,
        f"the run in {before.out} was trained on",
        f"start a new run from its weights by --from {last_checkpoint(before.out)} with another --out",
    )


def _with_open_settings(recorded: Run, wanted: Run) -> Run:
    """The recorded settings, without the numbers that were measured for what is still open in the wanted ones."""
    automatic = [name for name in ("factor", "h_noise") if getattr(wanted.architecture, name) == "auto"]
    measured = {name: getattr(wanted.architecture, name) for name in automatic}
    if wanted.data.normalize:
        measured["normalization"] = wanted.architecture.normalization
    return replace(recorded, architecture=replace(recorded.architecture, **measured))


def _require_same_weights(before: Begun, wanted: Run, changed: list[Difference]) -> None:
    """Weights are read at the start alone: they need not be there any more, but none can come in later."""
    moved = {difference.name for difference in changed} & set(WEIGHTS)
    if not moved:
        return
    found = fingerprints_of_weights(wanted.training)
    for name in sorted(moved & found.keys()):
        if before.sources.get(name) != found[name]:
            raise UserError(
                f"{before.out}: holds a run that has begun with other weights than '{name}' names now; leave it out to "
                "go on with that run, or choose another --out"
            )
