"""Runs that start from the weights of a model."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import Callback

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.noise_spectrum import NoiseSpectrum
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.method.shifts.binned import BinnedShift
from flowkit_deflow.settings.presets import preset
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.initial_model import model_at, start_from
from flowkit_deflow.training.trainer import train
from flowkit_deflow.weights.conversion import write_published

Settings = Callable[..., Run]

pytestmark = pytest.mark.filterwarnings("ignore:::pytorch_lightning")


class AtStart(Callback):
    """Keeps the weights before the first step."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self.state = {key: value.clone() for key, value in pl_module.model.state_dict().items()}


@pytest.mark.parametrize("place", ["model", ".", "checkpoints/last.ckpt"])
def test_a_run_starts_from_a_model_folder_a_run_or_its_checkpoint(
    tiny: Settings, trained: Path, tmp_path: Path, place: str
) -> None:
    start = AtStart()
    run = tiny(f"training.initial_model={trained / place}", "training.workers=0", "training.steps=1")
    train(run, tmp_path, progress=False, callbacks=[start])
    expected = DeFlow.from_pretrained(trained / "model").state_dict()
    assert all(torch.equal(start.state[key], value) for key, value in expected.items())


def test_a_run_that_has_begun_does_not_need_it_any_more(tiny: Settings, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "model", tmp_path / "model")
    run = tiny(f"training.initial_model={tmp_path / 'model'}", "training.workers=0", "training.steps=2")
    train(run, tmp_path / "run", progress=False)
    shutil.rmtree(tmp_path / "model")
    train(replace(run, training=replace(run.training, steps=4)), tmp_path / "run", progress=False)
    moved = replace(run.training, steps=4, initial_model=str(trained / "model"))
    train(replace(run, training=moved), tmp_path / "run", progress=False)


def test_a_published_checkpoint(tiny: Settings, tmp_path: Path) -> None:
    architecture = replace(tiny().architecture, scale="sigmoid")
    torch.manual_seed(3)
    published = DeFlow(architecture)
    published.save_pretrained(tmp_path / "model")
    write_published(tmp_path / "model", tmp_path / "published.pth")
    assert model_at(tmp_path / "published.pth") is None
    model = DeFlow(architecture)
    start_from(model, tmp_path / "published.pth")
    for own, other in zip(model.latents.parameters(), published.latents.parameters(), strict=True):
        assert torch.equal(own, other)


def test_another_architecture_is_named(tiny: Settings, trained: Path) -> None:
    model = DeFlow(replace(preset("tiny").architecture, hidden_channels=9, shift="uncorrelated"))
    told = r"architecture\.hidden_channels was 8, now 9; architecture\.shift was 'correlated', now 'uncorrelated'"
    with pytest.raises(UserError, match=told):
        start_from(model, trained / "model")


def test_the_noise_in_h_may_be_another(trained: Path) -> None:
    model = DeFlow(replace(preset("tiny").architecture, h_noise=0.1))
    start_from(model, trained / "model")
    assert model.config.h_noise == 0.1


def test_a_measured_shift_is_the_trained_one_again(trained: Path, tmp_path: Path) -> None:
    architecture = replace(preset("tiny").architecture, shift="binned")
    model = DeFlow(architecture)
    for shift in model.latents.shifts:
        assert isinstance(shift, BinnedShift)
        shift.measured.fill_(True)
    model.save_pretrained(tmp_path / "model")
    start_from(model, tmp_path / "model")
    assert not any(bool(shift.measured) for shift in model.latents.shifts)


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("now", [False, True])
def test_grain_is_measured_anew(tmp_path: Path, before: bool, now: bool) -> None:
    other, model = (DeFlow(replace(preset("tiny").architecture, grain=grain)) for grain in (before, now))
    if other.grain is not None:
        other.grain.measure(NoiseSpectrum(torch.eye(3)[:, :, None, None].expand(3, 3, 32, 32)))
    other.save_pretrained(tmp_path / "model")
    start_from(model, tmp_path / "model")
    for own, taken in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(own, taken)
    assert model.grain is None if not now else model.grain is not None and model.grain.std == 0


def test_what_is_no_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        model_at(tmp_path / "nothing")
