"""``deflow demo``, cut to a few seconds of training: all of it runs, and says what it measured."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from flowkit_deflow.app import demo
from flowkit_deflow.app.demo import run_demo
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import read_image
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.training import lightning_module
from flowkit_deflow.training.checkpoint_io import last_checkpoint, model_of_run, steps_of
from flowkit_deflow.training.model_choice import ModelChoice


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Of so short a training little is asked: the shift is measured on a few batches.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lightning_module, "BATCHES", 24)
        return run_demo(tmp_path_factory.mktemp("demo") / "out", minutes=0.05)


def test_the_report_shows_every_picture_and_they_are_there(report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    pictures = re.findall(r'<img src="([^"]+)"', page)
    assert {"contact_sheet.png", "training.png", "histogram.png", "std_vs_brightness.png"} <= set(pictures)
    for picture in pictures:
        assert min(read_image(report.parent / picture).shape[1:]) > 100, picture


def test_the_report_gives_the_measured_figures(report: Path) -> None:
    measured = json.loads((report.parent / "evaluation.json").read_text(encoding="utf-8"))
    assert f"{measured['comparison']['overall_std_ratio']:.3f}" in report.read_text(encoding="utf-8")


def test_the_report_tells_how_well_it_restores(report: Path) -> None:
    told = re.search(r"([\d.]+), degraded ([\d.]+)", report.read_text(encoding="utf-8"))
    assert told is not None
    for kind, number in zip(("restored", "data/held_out/degraded"), told.groups(), strict=True):
        clean = report.parent / "data" / "held_out" / "clean"
        pairs = [(read_image(path), read_image(report.parent / kind / path.name)) for path in clean.iterdir()]
        values = [-10 * (a - b).square().mean().log10().item() for a, b in pairs]
        # The report's figure is of images that were not rounded to 8 bits yet, and has one digit.
        assert sum(values) / len(values) == pytest.approx(float(number), abs=0.07)


def test_the_report_states_the_steps_made_and_whose_the_model_is(report: Path) -> None:
    run = report.parent / "run"
    made = steps_of(last_checkpoint(run))
    choice = ModelChoice.read(run)
    assert choice is not None
    text = report.read_text(encoding="utf-8")
    assert f"{made} steps of 16 crops" in text
    assert str(choice) in text
    chosen = model_of_run(run / choice.checkpoint).bijector.state_dict()
    left = DeFlow.from_pretrained(run / "model").bijector.state_dict()
    assert all(torch.equal(left[name], value) for name, value in chosen.items())


def test_the_model_is_left_for_use(report: Path) -> None:
    model = DeFlow.from_pretrained(report.parent / "run" / "model")
    assert model.config.shift == "binned"
    assert model.config.h_noise in (0.03, 0.06, 0.12)


def test_too_little_time_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise UserError("stopped before training")

    monkeypatch.setattr(demo, "train", stop)
    monkeypatch.setattr(demo, "_seconds_per_step", lambda _: 3.0)
    with pytest.raises(UserError, match="stopped before training"):
        run_demo(tmp_path / "out", minutes=2)
    told = capsys.readouterr().out
    assert "training for 40 steps, about 2.0 minutes" in told
    assert "a step takes 3 s here" in told
    assert "--minutes 60 would do" in told


def test_a_demo_that_is_there_is_not_overwritten(report: Path) -> None:
    with pytest.raises(UserError, match="holds a demo already"):
        run_demo(report.parent, minutes=0.05)
