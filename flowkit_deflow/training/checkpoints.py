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

__all__ = ["Checkpoints"]


class Checkpoints(Checkpoint):
    """Saves a run every so many steps, at its end and when it is stopped; a bad checkpoint never replaces a good one.

    ``checkpoints/last.ckpt`` is where the run goes on from. It is good if no step since the checkpoint before had a
    loss or gradient that was not finite, and the model still decodes a probe image. While it is not, the last good
    checkpoint stays beside it as ``checkpoints/good.ckpt``. A run that is given up, since too many steps in a row were
    not finite, goes back to the good one.

    It comes after all other callbacks, so that a checkpoint holds what they did with the step.

    Args:
        out: folder of the run.
        every: steps between checkpoints.
        max_skipped: steps in a row that were not finite, after which the run is given up.
        stop: tells that the run is to stop.

    Attributes:
        good: whether the last checkpoint is good.
    """

    def __init__(self, out: Path, every: int, max_skipped: int, stop: StopBetweenSteps) -> None:
        self.out = out
        self.every = every
        self.max_skipped = max_skipped
        self.stop = stop
        self.good = True
        self._skipped = 0

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """After a step: give the run up, or save it where that is due."""
        step = trainer.global_step
        if module.skipped_in_a_row >= self.max_skipped:
            self._give_up(trainer, module)
        if self.stop.stopping or trainer.should_stop or step % self.every == 0 or step == trainer.max_steps:
            self._save(trainer, module)

    def state_dict(self) -> dict[str, Any]:
        """What goes into the checkpoints."""
        return {"good": self.good, "skipped": self._skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What comes back from them."""
        self.good, self._skipped = state_dict["good"], state_dict["skipped"]

    def _save(self, trainer: pl.Trainer, module: Any) -> None:
        last, good = last_checkpoint(self.out), good_checkpoint(self.out)
        was_good = self.good
        finite = module.skipped == self._skipped
        # The first process decodes; what it finds holds for all, since a checkpoint is written by all together.
        decoded = decodes(module) if trainer.is_global_zero else True
        self.good = trainer.strategy.reduce_boolean_decision(finite and decoded, all=True)
        self._skipped = module.skipped
        if trainer.is_global_zero and was_good and not self.good and last.exists():
            last.replace(good)
        trainer.save_checkpoint(last, weights_only=False)
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
