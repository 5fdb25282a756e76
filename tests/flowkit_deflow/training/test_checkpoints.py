"""Checkpoints of runs that go astray."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from flowkit_deflow.errors import UserError
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.changes import has_diverged
from flowkit_deflow.training.checkpoint_io import good_checkpoint, last_checkpoint, model_of_run, steps_of
from flowkit_deflow.training.trainer import train

Settings = Callable[..., Run]

pytestmark = pytest.mark.filterwarnings("ignore:::pytorch_lightning")


class Astray(Callback):
    """From some step on the losses are not finite, or the weights are huge; notes the checkpoints after each step."""

    def __init__(self, step: int, *, losses: bool = False, weights: bool = False) -> None:
        self.step = step
        self.losses = losses
        self.weights = weights
        self.kept: list[list[tuple[str, int]]] = []

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
        folder = last_checkpoint(Path(trainer.default_root_dir)).parent
        self.kept.append([(path.stem, steps_of(path)) for path in sorted(folder.glob("*.ckpt"))])
        if trainer.global_step + 1 < self.step:
            return
        if self.losses:
            batch["images"][0] = math.nan
        if self.weights:
            with torch.no_grad():
                for shift in module.model.latents.shifts:
                    shift.matrix.copy_(1e4 * torch.eye(shift.channels))


@pytest.mark.parametrize("kind", ["losses", "weights"])
def test_the_last_good_one_stays_while_the_last_one_is_not(tiny: Settings, tmp_path: Path, kind: str) -> None:
    astray = Astray(4, **{kind: True})
    run = tiny("training.workers=0", "training.steps=7", "training.image_every=0", "data.held_out=0")
    train(run, tmp_path, progress=False, callbacks=[astray])
    # Checkpoints come at even steps; those of steps 4 and 6 are not good.
    good = [("good", 2), ("last", 4)]
    assert astray.kept == [[], [], [("last", 2)], [("last", 2)], good, good, [("good", 2), ("last", 6)]]


def test_a_good_one_takes_the_place_of_both(tiny: Settings, tmp_path: Path) -> None:
    class Once(Astray):
        def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
            self.losses = trainer.global_step + 1 == self.step
            super().on_train_batch_start(trainer, module, batch, batch_idx)

    once = Once(4)
    train(tiny("training.workers=0", "training.image_every=0"), tmp_path, progress=False, callbacks=[once])
    assert once.kept[4:7] == [[("good", 2), ("last", 4)]] * 2 + [[("last", 6)]]
    assert not good_checkpoint(tmp_path).exists()


def test_a_run_that_diverges_goes_back_and_on_with_a_lower_rate(tiny: Settings, tmp_path: Path) -> None:
    # The rate rises with the warm-up: good at first, then far too high.
    changes = ("training.workers=0", "training.warmup=100", "training.steps=40", "training.max_skipped=5")
    more = ("training.checkpoint_every=2", "training.image_every=0", "training.monitor_every=0")
    with pytest.raises(
        UserError, match=r"5 steps in a row .* given again, the run goes on from step \d+, whose"
    ) as end:
        train(tiny(*changes, *more, "training.learning_rate=3"), tmp_path, progress=False)
    assert "--set training.learning_rate=1" in str(end.value)
    assert has_diverged(tmp_path)
    assert not good_checkpoint(tmp_path).exists()
    begin = steps_of(last_checkpoint(tmp_path))
    model = model_of_run(last_checkpoint(tmp_path))
    images = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert model.degrade(images).isfinite().all()
    lower = tiny(*changes, *more, "training.learning_rate=0.001")
    model, _ = train(lower, tmp_path, progress=False)
    assert all(value.isfinite().all() for value in model.parameters())
    assert begin > 0
    assert steps_of(last_checkpoint(tmp_path)) == 40
    rates = [float(row.split(",")[4]) for row in (tmp_path / "log" / "scalars.csv").read_text().splitlines()[1:]]
    assert rates[begin] == pytest.approx(0.001 * (begin + 1) / 100)
