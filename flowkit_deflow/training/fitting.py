"""Lightning's loop as every run here has it: resumed from its last checkpoint, stopped between steps, errors told."""

import logging
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback, Checkpoint
from pytorch_lightning.loggers import TensorBoardLogger

from flowkit_deflow.errors import UserError
from flowkit_deflow.training.checkpoint_io import AtomicCheckpointIO, last_checkpoint, steps_of
from flowkit_deflow.training.endings import require_accelerator, told_plainly
from flowkit_deflow.training.interrupt import StopBetweenSteps
from flowkit_deflow.training.progress import progress_for

__all__ = ["Loop", "fit"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loop:
    """How long and where a module is trained.

    Attributes:
        steps: optimiser steps in all.
        checkpoint_every: steps between checkpoints.
        log_every: steps between logged scalars.
        accelerator: Lightning's.
        precision: Lightning's.
    """

    steps: int
    checkpoint_every: int
    log_every: int
    accelerator: str
    precision: str = "32-true"


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
    trainer = _trainer(loop, out, progress, stop, callbacks)
    last = last_checkpoint(out)
    if last.exists():
        log.info(f"Going on from step {steps_of(last)} of {loop.steps}.")
    with told_plainly(out, stop, "try fewer training.workers"):
        trainer.fit(module, ckpt_path=str(last) if last.exists() else None)
    if trainer.global_step % loop.checkpoint_every:
        trainer.save_checkpoint(last)


class _Checkpoints(Checkpoint):
    """Writes the last checkpoint every so many steps and before a stop, after the optimisers' steps.

    Lightning's own warns that it should come before them.
    """

    def __init__(self, path: Path, every: int, stop: StopBetweenSteps) -> None:
        self.path = path
        self.every = every
        self.stop = stop

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Where it is time."""
        if trainer.global_step % self.every == 0 or self.stop.stopping:
            trainer.save_checkpoint(self.path)


def _trainer(
    loop: Loop, out: Path, progress: bool, stop: StopBetweenSteps, callbacks: Iterable[Callback]
) -> pl.Trainer:
    require_accelerator(loop.accelerator)
    last = last_checkpoint(out)
    try:
        return pl.Trainer(
            max_steps=loop.steps,
            max_epochs=-1,
            accelerator=loop.accelerator,
            devices=1,
            precision=loop.precision,  # type: ignore[arg-type]
            default_root_dir=out,
            logger=TensorBoardLogger(out, name="log", version=""),
            log_every_n_steps=loop.log_every,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            plugins=[AtomicCheckpointIO()],
            callbacks=[
                # Before the checkpoint, so that it holds what the others found out in the same step.
                stop,
                *([progress_for(sys.stdout.isatty())] if progress else []),
                *callbacks,
                _Checkpoints(last, loop.checkpoint_every, stop),
            ],
        )
    except (MisconfigurationException, ValueError, ModuleNotFoundError) as error:
        raise UserError(
            f"the settings training.accelerator={loop.accelerator} and training.precision={loop.precision} cannot be "
            f"used here: {error}"
        ) from error
