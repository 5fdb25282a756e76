"""How long a training takes is told before its first step, and changes nothing about it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training import trainer
from flowkit_deflow.training.trainer import train


def test_the_time_is_told_before_the_first_step_and_the_training_is_the_same(
    tiny: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = tiny("training.steps=2", "training.crops_at_once=1", "training.ema=0.9")
    caplog.set_level("INFO", logger="flowkit_deflow")
    train(run, tmp_path / "short", progress=False)
    assert "A step takes" not in caplog.text
    monkeypatch.setattr(trainer, "FEWEST_STEPS", 2)
    train(run, tmp_path / "told", progress=False)
    messages = [record.getMessage() for record in caplog.records]
    (told,) = (number for number, message in enumerate(messages) if message.startswith("A step takes"))
    assert re.fullmatch(r"A step takes [\d.e-]+ s here: about \d+ s for 2 steps\.", messages[told])
    first, second = (tmp_path / out / "model" / "model.safetensors" for out in ("short", "told"))
    assert first.read_bytes() == second.read_bytes()
    # A run that goes on has told it.
    train(run, tmp_path / "told", progress=False)
    assert sum(record.getMessage().startswith("A step takes") for record in caplog.records) == 1
