"""Which step a run's model is from, and why."""

from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Self

import yaml

from flowkit_deflow.files import write_text
from flowkit_deflow.settings.text import from_dict, read_yaml
from flowkit_deflow.training.checkpoint_io import best_checkpoint, last_checkpoint, steps_of
from flowkit_deflow.training.selection import ERRORS, Figure, difference

__all__ = ["ModelChoice", "choose_step"]


@dataclass(frozen=True)
class ModelChoice:
    """The step that a run's model is from; ``chosen_step.yaml`` in the run's folder.

    Attributes:
        step: optimiser steps that its checkpoint had made.
        checkpoint: its path within the run's folder.
        reason: why this one, as the second half of a sentence.

    Examples:
        >>> print(ModelChoice(1500, "checkpoints/last.ckpt", "it is the best by code_length, 1.327"))
        The model is of step 1500 (checkpoints/last.ckpt): it is the best by code_length, 1.327.
    """

    step: int
    checkpoint: str
    reason: str

    def __str__(self) -> str:
        return f"The model is of step {self.step} ({self.checkpoint}): {self.reason}."

    def write(self, run: Path) -> None:
        """Write it into the folder of a run."""
        write_text(_path(run), yaml.safe_dump(asdict(self), sort_keys=False))

    @classmethod
    def read(cls, run: Path) -> Self | None:
        """What a run's folder says; ``None`` where it says nothing, as before a run's end.

        Raises:
            UserError: the file holds something else.
        """
        path = _path(run)
        return from_dict(cls, read_yaml(path), str(path)) if path.exists() else None


def choose_step(run: Path, step: int, name: str, last: Figure | None, best: Figure | None) -> ModelChoice:
    """Choose between the last step and the best, which has to be better by more than the figures' own error.

    Args:
        run: folder of the run.
        step: its last step.
        name: the figure that it selects by.
        last: of the last step; ``None`` where there is none.
        best: of the best step.
    """
    own = last_checkpoint(run).relative_to(run).as_posix()
    if last is None:
        why = "training.select is last" if name == "last" else f"no images were held out to choose by {name}"
        return ModelChoice(step, own, why)
    file = best_checkpoint(run)
    if best is None or not file.exists():
        return ModelChoice(step, own, f"no step's {name} could be measured")
    best_step = steps_of(file)
    if best_step == step:
        return ModelChoice(step, own, f"it is the best by {name}, {best.value:.4g}")
    other = file.relative_to(run).as_posix()
    apart = difference(last, best)
    if not isfinite(last.value) or apart.is_beyond_chance:
        compared = f"the last step, {step}, has {last.value:.4g} ({own})"
        return ModelChoice(best_step, other, f"it is the best by {name}, {best.value:.4g}; {compared}")
    return ModelChoice(
        step,
        own,
        f"step {best_step} is better by {name} ({other}), but its {apart.mean:.2g} less may be chance, "
        f"which makes up to {ERRORS * apart.error:.2g}",
    )


def _path(run: Path) -> Path:
    return run / "chosen_step.yaml"
