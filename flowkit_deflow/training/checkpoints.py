"""When a run is saved, and which of its checkpoints it goes back to."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from flowkit_deflow.errors import UserError
from flowkit_deflow.training.changes import DIVERGED, note_change
from flowkit_deflow.training.checkpoint_io import good_checkpoint, last_checkpoint, steps_of
from flowkit_deflow.training.interrupt import StopBetweenSteps
from flowkit_deflow.training.probe import decodes

__all__ = ["Checkpoints", "PeriodicCheckpoints"]


class PeriodicCheckpoints(Checkpoint):
    """Saves a run every so many steps, at its end and when it is stopped, as ``checkpoints/last.ckpt``.

    It comes after all other callbacks, so that a checkpoint holds what they did with the step. (Lightning's own
    checkpoints come before the optimisers' step where there are several.)

    Args:
        out: folder of the run.
        every: steps between checkpoints.
        stop: tells that the run is to stop.
    """

    def __init__(self, out: Path, every: int, stop: StopBetweenSteps) -> None:
        self.out = out
        self.every = every
        self.stop = stop

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """After a step: save the run, where that is due."""
        step = trainer.global_step
        if self.stop.stopping or trainer.should_stop or step % self.every == 0 or step == trainer.max_steps:
            self.save(trainer, module)

    def save(self, trainer: pl.Trainer, module: Any) -> None:
        """Write the checkpoint."""
        trainer.save_checkpoint(last_checkpoint(self.out), weights_only=False)


class Checkpoints(PeriodicCheckpoints):
    """Saves a run of DeFlow; a bad checkpoint never replaces a good one.

    ``checkpoints/last.ckpt`` is where the run goes on from. It is good if no step since the checkpoint before had a
    loss or gradient that was not finite, and the model still decodes a probe image. While it is not, the last good
    checkpoint stays beside it as ``checkpoints/good.ckpt``. A run that is given up, since too many steps in a row were
    not finite, goes back to the good one.

    Args:
        out: folder of the run.
        every: steps between checkpoints.
        max_skipped: steps in a row that were not finite, after which the run is given up.
        stop: tells that the run is to stop.

    Attributes:
        good: whether the last checkpoint is good.
    """

    def __init__(self, out: Path, every: int, max_skipped: int, stop: StopBetweenSteps) -> None:
        super().__init__(out, every, stop)
        self.max_skipped = max_skipped
        self.good = True
        self._skipped = 0

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """After a step: give the run up, or save it where that is due."""
        if module.skipped_in_a_row >= self.max_skipped:
            self._give_up(trainer, module)
        super().on_train_batch_end(trainer, module, outputs, batch, batch_idx)

    def state_dict(self) -> dict[str, Any]:
        """What goes into the checkpoints."""
        return {"good": self.good, "skipped": self._skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What comes back from them."""
        self.good, self._skipped = state_dict["good"], state_dict["skipped"]

    def save(self, trainer: pl.Trainer, module: Any) -> None:
        """Write the checkpoint, and keep the last good one beside it where this is not good."""
        last, good = last_checkpoint(self.out), good_checkpoint(self.out)
        was_good = self.good
        finite = module.skipped == self._skipped
        # The first process decodes; what it finds holds for all, since a checkpoint is written by all together.
        decoded = decodes(module) if trainer.is_global_zero else True
        self.good = trainer.strategy.reduce_boolean_decision(finite and decoded, all=True)
        self._skipped = module.skipped
        if trainer.is_global_zero and was_good and not self.good and last.exists():
            last.replace(good)
        super().save(trainer, module)
        if trainer.is_global_zero and self.good:
            good.unlink(missing_ok=True)

    def _give_up(self, trainer: pl.Trainer, module: Any) -> None:
        """Go back to the last good checkpoint, and end the run."""
        last, good = last_checkpoint(self.out), good_checkpoint(self.out)
        if trainer.is_global_zero:
            if good.exists() and not self.good:
                good.replace(last)
            elif not self.good:
                last.unlink(missing_ok=True)
            if last.exists():
                note_change(self.out, steps_of(last), DIVERGED, {})
        trainer.strategy.barrier("gone back to the last good checkpoint")
        training = module.run.training
        begin = (
            f"step {steps_of(last)}, whose checkpoint is good" if last.exists() else "its start: no checkpoint was good"
        )
        raise UserError(
            f"{module.skipped_in_a_row} steps in a row had a non-finite loss or gradient: training stopped at step "
            f"{trainer.global_step}; given again, the run goes on from {begin}. Give it a lower learning rate, like "
            f"--set training.learning_rate={training.learning_rate / 3:.1g}"
        )
