"""Ctrl-C and SIGTERM during training."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

__all__ = ["StopBetweenSteps"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# The shells' own exit status of a process that a signal ended is this and the signal's number.
KILLED = 128


class StopBetweenSteps(Callback):
    """Lets Ctrl-C or SIGTERM stop a run between two steps, its last step saved; a second one stops it at once.

    Wherever else it came, it could leave a lock taken: TensorBoard's writer then waits for its own thread for ever.
    Where several processes train, all stop after the same step, whichever of them was asked.

    Attributes:
        signal: the signal that came; ``None`` if none did.
        stopping: whether the run ends with the step that is being made.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.stopping = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals for as long as this lasts, in the main thread; elsewhere no signals arrive."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = [(number, signal.signal(number, self._ask)) for number in SIGNALS]
        try:
            yield
        finally:
            for number, handler in before:
                signal.signal(number, handler)
        if self.signal is not None:
            # During the last step: what is left is not begun.
            raise self.reason()

    def reason(self) -> BaseException:
        """What a caller is to be told: ``KeyboardInterrupt`` after Ctrl-C, else the exit status of the signal."""
        return SystemExit(KILLED + signal.SIGTERM) if self.signal == signal.SIGTERM else KeyboardInterrupt()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take back SIGTERM, for which Lightning has set a handler that ends the run without saving it."""
        if signal.getsignal(signal.SIGINT) == self._ask:
            signal.signal(signal.SIGTERM, self._ask)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Between two steps, the first of which is saved and in the log."""
        if self.stopping:
            raise self.reason()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Agree with the other processes on whether to stop."""
        self.stopping = trainer.strategy.reduce_boolean_decision(self.signal is not None, all=False)

    def _ask(self, number: int, _: Any) -> None:
        again = self.signal is not None
        self.signal = number
        if again:
            raise self.reason()
