"""Sample images in the training's log."""

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import TensorBoardLogger

from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.method.latents import Domain

__all__ = ["SampleImages"]


class SampleImages(Callback):
    """Sample images for TensorBoard: clean crops, degraded versions of them, and really degraded crops."""

    def __init__(self, every: int) -> None:
        self.every = every

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Every so many steps, from the first process."""
        if not self.every or trainer.global_step % self.every or not trainer.is_global_zero:
            return
        clean = batch["images"][batch["domain"] == Domain.CLEAN][:4]
        degraded = batch["images"][batch["domain"] == Domain.DEGRADED][:4]
        generated = module.judged.degrade(clean, noise=SeededNoise(0, "sample images"))
        rows = [torch.cat(list(row), dim=-1) for row in (clean, generated, degraded)]
        # A model that has just gone astray gives values that have no colour.
        picture = torch.cat(rows, dim=-2).nan_to_num(posinf=1.0, neginf=0.0).cpu()
        if isinstance(module.logger, TensorBoardLogger):
            module.logger.experiment.add_image("clean, generated, really degraded", picture, trainer.global_step)
