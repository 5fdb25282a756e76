import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from flowkit_deflow import Run
from flowkit_deflow.training.trainer import train

Settings = Callable[..., Run]


class CtrlC(Callback):
    """Comes during a step, once or more; counts the steps that end."""

    def __init__(self, step: int, times: int = 1) -> None:
        self.step = step
        self.times = times
        self.ended = 0

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Any) -> None:
        if trainer.global_step + 1 == self.step:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)

    def on_train_batch_end(self, *_: Any) -> None:
        self.ended += 1


@pytest.mark.parametrize(("step", "times", "ended"), [(2, 1, 2), (4, 1, 4), (2, 2, 1)])
def test_it_stops_before_the_next_step_and_at_the_second_time_at_once(
    step: int, times: int, ended: int, tiny: Settings, tmp_path: Path
) -> None:
    before = signal.getsignal(signal.SIGINT)
    pressed = CtrlC(step, times)
    with pytest.raises(KeyboardInterrupt):
        train(tiny("training.workers=0", "training.steps=4"), tmp_path, progress=False, callbacks=[pressed])
    assert pressed.ended == ended
    assert not (tmp_path / "model").exists()
    assert signal.getsignal(signal.SIGINT) is before
