"""Training a module: resumed from its last checkpoint, stopped between steps, errors told."""

import logging
from collections.abc import Iterable
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from flowkit_deflow.training.checkpoint_io import last_checkpoint, steps_of
from flowkit_deflow.training.checkpoints import PeriodicCheckpoints
from flowkit_deflow.training.endings import told_plainly
from flowkit_deflow.training.interrupt import StopBetweenSteps
from flowkit_deflow.training.lightning_trainer import Loop, lightning_trainer

__all__ = ["fit"]

log = logging.getLogger(__name__)


def fit(
    module: pl.LightningModule, loop: Loop, out: Path, *, progress: bool = True, callbacks: Iterable[Callback] = ()
) -> None:
    """Train a module, or go on from its last checkpoint; of more steps than before, only what is missing is made.

    Args:
        module: the module; its ``train_dataloader`` starts at the trainer's ``global_step``.
        loop: how long and where.
        out: folder of the run: ``checkpoints/last.ckpt`` and ``log/`` are written there.
        progress: show a progress bar.
        callbacks: more of Lightning's callbacks.

    Raises:
        UserError: the run cannot be written, or the accelerator cannot be used here.
        KeyboardInterrupt: it was stopped by Ctrl-C; given again, it goes on.
        SystemExit: it was stopped by SIGTERM.
    """
    stop = StopBetweenSteps()
    checkpoints = PeriodicCheckpoints(out, loop.checkpoint_every, stop)
    trainer = lightning_trainer(loop, out, checkpoints, stop=stop, progress=progress, callbacks=callbacks)
    last = last_checkpoint(out)
    if last.exists():
        log.info(f"Going on from step {steps_of(last)} of {loop.steps}.")
    with told_plainly(out, stop, "try fewer training.workers"):
        trainer.fit(module, ckpt_path=str(last) if last.exists() else None)
