"""Training a module: resumed from its last checkpoint, stopped between steps, errors told."""

import logging
from collections.abc import Iterable
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from flowkit_deflow.errors import UserError
from flowkit_deflow.training.adversarial.alternating import DivergedError
from flowkit_deflow.training.changes import DIVERGED, note_change
from flowkit_deflow.training.checkpoint_io import last_checkpoint, steps_of
from flowkit_deflow.training.checkpoints import PeriodicCheckpoints
from flowkit_deflow.training.endings import told_plainly
from flowkit_deflow.training.interrupt import StopBetweenSteps
from flowkit_deflow.training.lightning_trainer import Loop, lightning_trainer
from flowkit_deflow.training.scalars_file import ScalarsFile

__all__ = ["fit"]

log = logging.getLogger(__name__)


def fit(
    module: pl.LightningModule,
    loop: Loop,
    out: Path,
    *,
    progress: bool = True,
    callbacks: Iterable[Callback] = (),
    columns: Iterable[str] = (),
) -> None:
    """Train a module, or go on from its last checkpoint; of more steps than before, only what is missing is made.

    Args:
        module: the module; its ``train_dataloader`` starts at the trainer's ``global_step``.
        loop: how long and where.
        out: folder of the run: ``checkpoints/last.ckpt`` and ``log/`` (TensorBoard, and the same scalars as
            ``scalars.csv``) are written there.
        progress: show a progress bar.
        callbacks: more of Lightning's callbacks.
        columns: scalars of ``scalars.csv`` that are not logged at the first step.

    Raises:
        UserError: the run cannot be written, the accelerator cannot be used here, or a loss or gradient was not finite.
        KeyboardInterrupt: it was stopped by Ctrl-C; given again, it goes on.
        SystemExit: it was stopped by SIGTERM.
    """
    stop = StopBetweenSteps()
    last = last_checkpoint(out)
    start = steps_of(last) if last.exists() else None
    checkpoints = PeriodicCheckpoints(out, loop.checkpoint_every, stop)
    scalars = ScalarsFile(out / "log" / "scalars.csv", start or 0, columns)
    trainer = lightning_trainer(
        loop, out, checkpoints, stop=stop, progress=progress, callbacks=callbacks, loggers=[scalars]
    )
    if start is not None:
        log.info(f"Going on from step {start} of {loop.steps}.")
    try:
        with told_plainly(out, stop, "give the command again with fewer training.workers"):
            trainer.fit(module, ckpt_path=None if start is None else str(last))
    except DivergedError as diverged:
        raise UserError(f"{diverged}; {_after_divergence(out, last)}") from None
    except (SystemExit, KeyboardInterrupt):
        if stop.stopping:
            log.info(f"Stopped after step {trainer.global_step}, which is saved: the same command goes on.")
        raise


def _after_divergence(out: Path, last: Path) -> str:
    """What to do now; the learning rate may be lowered from here on."""
    if not last.exists():
        return "give it a lower training.learning_rate"
    step = steps_of(last)
    note_change(out, step, DIVERGED, {})
    return (
        f"given again, the run goes on from step {step}, the last checkpoint: give it a lower learning rate by --set "
        "training.learning_rate=..."
    )
