"""Lightning's trainer, set up for a run."""

import sys
from collections.abc import Iterable
from pathlib import Path

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import TensorBoardLogger

from flowkit_deflow.errors import UserError
from flowkit_deflow.settings.schema import Training
from flowkit_deflow.training.checkpoint_io import AtomicCheckpointIO
from flowkit_deflow.training.checkpoints import Checkpoints
from flowkit_deflow.training.endings import require_accelerator
from flowkit_deflow.training.interrupt import StopBetweenSteps
from flowkit_deflow.training.progress import progress_for
from flowkit_deflow.training.sample_images import SampleImages
from flowkit_deflow.training.scalars_file import ScalarsFile
from flowkit_deflow.training.weight_average import Averaging

__all__ = ["lightning_trainer"]


def lightning_trainer(
    training: Training,
    out: Path,
    start: int,
    progress: bool,
    stop: StopBetweenSteps,
    callbacks: Iterable[Callback],
) -> pl.Trainer:
    """Lightning's trainer with the run's log, its checkpoints and what is shown of it.

    Args:
        training: the settings.
        out: folder of the run.
        start: the step that the run goes on from.
        progress: show how far it has come.
        stop: listens for signals.
        callbacks: more callbacks, which see a step before it is saved.

    Raises:
        UserError: the settings cannot be used on this machine.
    """
    require_accelerator(training.accelerator)
    try:
        return pl.Trainer(
            max_steps=training.steps,
            max_epochs=-1,
            accelerator=training.accelerator,
            devices=training.devices,
            strategy=training.strategy,
            precision=training.precision,  # type: ignore[arg-type]
            gradient_clip_val=training.clip_norm or None,
            default_root_dir=out,
            logger=[TensorBoardLogger(out, name="log", version=""), ScalarsFile(out / "log" / "scalars.csv", start)],
            log_every_n_steps=training.log_every,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            plugins=[AtomicCheckpointIO()],
            callbacks=[
                stop,
                Averaging(),
                SampleImages(training.image_every),
                *([progress_for(sys.stdout.isatty())] if progress else []),
                *callbacks,
                Checkpoints(out, training.checkpoint_every, training.max_skipped, stop),
            ],
        )
    except (MisconfigurationException, ValueError, ModuleNotFoundError) as error:
        names = ("accelerator", "devices", "strategy", "precision")
        given = ", ".join(f"training.{name}={getattr(training, name)}" for name in names)
        raise UserError(f"the settings {given} cannot be used here: {error}") from error
