"""``deflow infer-shift``."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from flowkit_deflow.app.commands import infer_shift
from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.method.shifts.binned import BinnedShift
from flowkit_deflow.settings.schema import Data, Run
from flowkit_deflow.settings.text import to_yaml
from tests.flowkit_deflow.conftest import Command, Photos
from tests.flowkit_deflow.networks import TINY, UNCONDITIONAL, crops, perturbed


@pytest.fixture(autouse=True)
def _few_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowkit_deflow.training.shift_inference.BATCHES", 4)
    monkeypatch.setattr(infer_shift, "SMALLEST_CROP", 16)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    perturbed(TINY).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_another_folder_is_written(deflow: Command, model: Path, photos: Photos, tmp_path: Path) -> None:
    before = (model / "model.safetensors").read_bytes()
    folders = ("--clean", photos.clean, "--degraded", photos.noisy)
    ended = deflow("infer-shift", model, *folders, "--out", tmp_path / "other", "--classes", "2x1", "--grain")
    assert (ended.status, ended.err) == (0, "")
    assert "2 x 1 classes" in ended.out
    assert "Measured at flat places" in ended.out
    assert str(tmp_path / "other") in ended.out
    assert (model / "model.safetensors").read_bytes() == before
    binned = DeFlow.from_pretrained(tmp_path / "other")
    assert (binned.config.shift, binned.config.shift_classes) == ("binned", (2, 1))
    for shift in binned.latents.shifts:
        assert isinstance(shift, BinnedShift)
        assert bool(shift.measured)
    images = crops(2, 16)
    told = deflow("info", tmp_path / "other").out
    assert "on top of what the shift generates" in told
    assert told.count("measured in 2 classes of places") == 2
    one, other = (m.degrade(images, noise=SeededNoise(0, "")) for m in (binned, DeFlow.from_pretrained(model)))
    assert (one - other).abs().mean() > 1e-3


def test_without_another_folder_the_model_is_replaced(deflow: Command, model: Path, photos: Photos) -> None:
    assert deflow("infer-shift", model, "--clean", photos.clean, "--degraded", photos.noisy).status == 0
    assert json.loads((model / "config.json").read_text())["settings"]["shift_classes"] == [6, 3]


@pytest.mark.parametrize(
    ("before", "options", "after"),
    [(False, [], False), (True, [], True), (True, ["--no-grain"], False), (False, ["--grain"], True)],
)
def test_grain_is_as_asked_for_and_else_as_before(
    deflow: Command, photos: Photos, tmp_path: Path, before: bool, options: list[str], after: bool
) -> None:
    perturbed(replace(UNCONDITIONAL, grain=before)).save_pretrained(tmp_path / "model")
    folders = ("--clean", photos.clean, "--degraded", photos.noisy)
    ended = deflow("infer-shift", tmp_path / "model", *folders, *options)
    assert ended.status == 0
    assert ("Measured at flat places" in ended.out) == after
    assert (DeFlow.from_pretrained(tmp_path / "model").grain is not None) == after


def test_with_pairs_there_is_no_grain(deflow: Command, photos: Photos, tmp_path: Path) -> None:
    perturbed(replace(UNCONDITIONAL, grain=True)).save_pretrained(tmp_path / "model")
    run = Run(UNCONDITIONAL, Data(str(photos.clean), str(photos.clean), pairs=True, crop=16))
    (tmp_path / "run.yaml").write_text(to_yaml(run))
    command = ("infer-shift", tmp_path / "model", "--config", tmp_path / "run.yaml")
    ended = deflow(*command)
    assert ended.status == 0
    assert "flat places" not in ended.out
    refused = deflow(*command, "--grain")
    assert refused.status == 2
    assert "--grain: with pairs" in refused.err


def test_the_seed_decides(deflow: Command, model: Path, photos: Photos, tmp_path: Path) -> None:
    weights = []
    for number, seed in enumerate((0, 0, 1)):
        out = tmp_path / f"other{number}"
        folders = ("--clean", photos.clean, "--degraded", photos.noisy)
        assert deflow("infer-shift", model, *folders, "--out", out, "--seed", seed).status == 0
        weights.append((out / "model.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]


def test_a_model_without_h_is_measured_in_one_class(deflow: Command, photos: Photos, tmp_path: Path) -> None:
    perturbed(UNCONDITIONAL).save_pretrained(tmp_path / "model")
    folders = ("--clean", photos.clean, "--degraded", photos.noisy)
    ended = deflow("infer-shift", tmp_path / "model", *folders, "--classes", "2x1")
    assert ended.status == 2
    assert "not conditioned on h" in ended.err
    assert deflow("infer-shift", tmp_path / "model", *folders).status == 0
    assert DeFlow.from_pretrained(tmp_path / "model").config.shift_classes == (1, 1)


def test_a_runs_settings_say_how_crops_are_made(deflow: Command, model: Path, photos: Photos, tmp_path: Path) -> None:
    run = Run(TINY, Data(str(photos.clean), str(photos.noisy), clean_downsample=(2,), crop=16))
    (tmp_path / "run.yaml").write_text(to_yaml(run))
    outs = tmp_path / "downsampled", tmp_path / "plain"
    settings = ("--config", tmp_path / "run.yaml")
    folders = ("--clean", photos.clean, "--degraded", photos.noisy)
    for out, given in zip(outs, (settings, folders), strict=True):
        assert deflow("infer-shift", model, *given, "--out", out).status == 0
    roots = [DeFlow.from_pretrained(out).latents.shifts[0].state_dict()["class_root"] for out in outs]
    assert not torch.allclose(*roots, atol=1e-3)


@pytest.mark.parametrize("classes", ["6", "0x3", "6x", "x", "6x3x2", "-1x2", "six"])
def test_classes_that_are_none(deflow: Command, model: Path, photos: Photos, classes: str) -> None:
    before = (model / "model.safetensors").read_bytes()
    ended = deflow("infer-shift", model, "--clean", photos.clean, "--degraded", photos.noisy, f"--classes={classes}")
    assert ended.status == 2
    assert f"--classes '{classes}'" in ended.err
    assert "like 6x3" in ended.err
    assert (model / "model.safetensors").read_bytes() == before


def test_missing_folders_are_asked_for(deflow: Command, model: Path, photos: Photos) -> None:
    assert "name it with --degraded" in deflow("infer-shift", model, "--clean", photos.clean).err
    assert "name it with --clean" in deflow("infer-shift", model, "--degraded", photos.noisy).err


def test_what_is_no_deflow_is_refused(deflow: Command, photos: Photos, tmp_path: Path) -> None:
    from flowkit_deflow import WhiteNoise

    WhiteNoise(0.1).save_pretrained(tmp_path / "white")
    ended = deflow("infer-shift", tmp_path / "white", "--clean", photos.clean, "--degraded", photos.noisy)
    assert ended.status == 2
    assert "expected 'deflow'" in ended.err
