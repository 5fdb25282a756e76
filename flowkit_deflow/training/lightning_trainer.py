"""Lightning's trainer as every run here has it, whatever it trains."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger, TensorBoardLogger

from flowkit_deflow.errors import UserError
from flowkit_deflow.training.checkpoint_io import AtomicCheckpointIO
from flowkit_deflow.training.checkpoints import PeriodicCheckpoints
from flowkit_deflow.training.endings import require_accelerator
from flowkit_deflow.training.interrupt import StopBetweenSteps
from flowkit_deflow.training.progress import progress_for

__all__ = ["Loop", "lightning_trainer", "require_usable"]


@dataclass(frozen=True)
class Loop:
    """How long and where a module is trained.

    Attributes:
        steps: optimiser steps in all.
        checkpoint_every: steps between checkpoints.
        log_every: steps between logged scalars.
        accelerator: Lightning's, as all that follow.
        precision: of weights and computation.
        devices: how many processes train.
        strategy: how they share the work.
        clip_norm: the gradients' largest norm; 0 for any.
    """

    steps: int
    checkpoint_every: int
    log_every: int
    accelerator: str
    precision: str = "32-true"
    devices: int = 1
    strategy: str = "auto"
    clip_norm: float = 0.0


def require_usable(loop: Loop, out: Path) -> None:
    """Check that this machine can do what a loop asks for, before anything of its run is written.

    Args:
        loop: how long and where.
        out: folder of the run.

    Raises:
        UserError: it cannot.
    """
    with _told(loop, out):
        pl.Trainer(logger=False, enable_checkpointing=False, **_quiet_and_placed(loop))


def lightning_trainer(
    loop: Loop,
    out: Path,
    checkpoints: PeriodicCheckpoints,
    *,
    stop: StopBetweenSteps,
    progress: bool = True,
    callbacks: Iterable[Callback] = (),
    loggers: Iterable[Logger] = (),
) -> pl.Trainer:
    """Lightning's trainer with the run's log, its checkpoints and what is shown of it.

    Args:
        loop: how long and where.
        out: folder of the run.
        checkpoints: saves the run.
        stop: listens for signals.
        progress: show how far it has come.
        callbacks: more callbacks, which see a step before it is saved.
        loggers: more logs than TensorBoard's.

    Raises:
        UserError: the settings cannot be used on this machine.
    """
    with _told(loop, out):
        return pl.Trainer(
            max_steps=loop.steps,
            max_epochs=-1,
            gradient_clip_val=loop.clip_norm or None,
            default_root_dir=out,
            logger=[TensorBoardLogger(out, name="log", version=""), *loggers],
            log_every_n_steps=loop.log_every,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            plugins=[AtomicCheckpointIO()],
            # The checkpoint comes last, so that it holds what the others found out in the same step.
            callbacks=[
                stop,
                *([progress_for(sys.stdout.isatty())] if progress else []),
                *callbacks,
                checkpoints,
            ],
            **_quiet_and_placed(loop),
        )


def _quiet_and_placed(loop: Loop) -> dict[str, Any]:
    """Arguments of Lightning's trainer: where a loop runs, and without what Lightning shows."""
    return {
        "accelerator": loop.accelerator,
        "devices": loop.devices,
        "strategy": loop.strategy,
        "precision": loop.precision,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }


@contextmanager
def _told(loop: Loop, out: Path) -> Iterator[None]:
    """Tell what cannot be used on this machine as a mistake in the settings."""
    require_accelerator(loop.accelerator)
    try:
        str(out).encode()
    except UnicodeEncodeError:
        raise UserError(f"{out}: TensorBoard's log needs a folder whose name is text; choose another --out") from None
    try:
        yield
    except (MisconfigurationException, ValueError, ModuleNotFoundError) as error:
        names = ("accelerator", "devices", "strategy", "precision")
        given = ", ".join(f"training.{name}={getattr(loop, name)}" for name in names)
        raise UserError(f"the settings {given} cannot be used here: {error}") from error
