"""Ctrl-C during training."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

__all__ = ["StopBetweenSteps"]


class StopBetweenSteps(Callback):
    """Lets Ctrl-C stop a run before its next step; a second one stops it at once.

    Wherever else it came, it could leave a lock taken: TensorBoard's writer then waits for its own thread for ever.
    """

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take Ctrl-C for as long as this lasts, in the main thread; elsewhere no signals arrive."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        if self.asked:
            # During the last step: what is left is not begun.
            raise KeyboardInterrupt

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Between two steps."""
        if self.asked:
            raise KeyboardInterrupt

    def _ask(self, *_: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
