"""Train by the settings in a file and write down each step's gradients: run by Lightning once for each process.

Arguments: RUN.yaml, the run's folder, the folder to write to.
"""

import sys
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from flowkit_deflow.settings.schema import Run
from flowkit_deflow.settings.text import from_dict, read_yaml
from flowkit_deflow.training.trainer import train


class _WriteGradients(Callback):
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        gradients = {name: p.grad.clone() for name, p in pl_module.named_parameters() if p.grad is not None}
        weights = {name: p.detach().clone() for name, p in pl_module.named_parameters()}
        path = self.folder / f"step{trainer.global_step}_rank{trainer.global_rank}of{trainer.world_size}.pt"
        torch.save({"gradients": gradients, "weights": weights}, path)


if __name__ == "__main__":
    settings, out, folder = map(Path, sys.argv[1:])
    torch.set_num_threads(1)
    run = from_dict(Run, read_yaml(settings), str(settings))
    train(run, out, progress=False, callbacks=[_WriteGradients(folder)])
