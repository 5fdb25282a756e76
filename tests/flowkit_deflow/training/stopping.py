"""A signal that comes during a step."""

import signal
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

__all__ = ["SignalAt"]


class SignalAt(Callback):
    """Sends a signal during a step, once or more; counts the steps that end.

    Args:
        step: the step, from 1.
        number: the signal.
        times: how often it comes.
    """

    def __init__(self, step: int, number: signal.Signals = signal.SIGINT, times: int = 1) -> None:
        self.step = step
        self.number = number
        self.times = times
        self.ended = 0

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Any) -> None:
        if trainer.global_step + 1 == self.step:
            for _ in range(self.times):
                signal.raise_signal(self.number)

    def on_train_batch_end(self, *_: Any) -> None:
        self.ended += 1
