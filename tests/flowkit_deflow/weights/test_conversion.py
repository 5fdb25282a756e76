from dataclasses import replace
from pathlib import Path

import pytest
import torch

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.noise_spectrum import NoiseSpectrum
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.settings.schema import Architecture, Run
from flowkit_deflow.settings.text import to_yaml
from flowkit_deflow.state_files import read_state, write_state
from flowkit_deflow.weights.conversion import read_published, write_published
from tests.flowkit_deflow.networks import NORMALIZATION, TINY, perturbed

PUBLISHABLE = replace(TINY, scale="sigmoid", bins=32)


def settings(folder: Path, architecture: Architecture) -> Path:
    path = folder / "mine.yaml"
    path.write_text(to_yaml(Run(architecture=architecture)))
    return path


def assert_same_weights(one: DeFlow, other: DeFlow) -> None:
    own, others = one.state_dict(), other.state_dict()
    assert own.keys() == others.keys()
    assert all(torch.equal(value, others[key]) for key, value in own.items())


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_there_and_back(suffix: str, tmp_path: Path) -> None:
    model = perturbed(PUBLISHABLE)
    model.save_pretrained(tmp_path / "model")
    notes = write_published(tmp_path / "model", tmp_path / f"published{suffix}")
    assert len(notes) == 1
    assert "flowUpsamplerNet.f.0" in notes[0]
    back = read_published(tmp_path / f"published{suffix}", settings=settings(tmp_path, PUBLISHABLE))
    assert not back.training
    assert_same_weights(back, model)


def test_a_checkpoint_of_data_parallel(tmp_path: Path) -> None:
    model = perturbed(PUBLISHABLE)
    model.save_pretrained(tmp_path / "model")
    write_published(tmp_path / "model", tmp_path / "plain.pth")
    state = {f"module.{key}": value for key, value in read_state(tmp_path / "plain.pth").items()}
    write_state(tmp_path / "parallel.pth", state)
    assert_same_weights(read_published(tmp_path / "parallel.pth", settings=settings(tmp_path, PUBLISHABLE)), model)


def test_the_colours_are_told_to_be_lost(tmp_path: Path) -> None:
    perturbed(replace(PUBLISHABLE, normalization=NORMALIZATION)).save_pretrained(tmp_path / "model")
    notes = write_published(tmp_path / "model", tmp_path / "published.pth")
    assert any("colour normalisation" in note and str(tmp_path / "model" / "config.json") in note for note in notes)


def test_another_dequantisation_is_told_to_be_lost(tmp_path: Path) -> None:
    perturbed(replace(PUBLISHABLE, bins=256)).save_pretrained(tmp_path / "model")
    notes = write_published(tmp_path / "model", tmp_path / "published.pth")
    assert any("256 levels of dequantisation noise" in note for note in notes)


def test_the_architecture_is_given_once(tmp_path: Path) -> None:
    write_state(tmp_path / "published.pth", {"a": torch.zeros(1)})
    for name, path in ((None, None), ("aim", settings(tmp_path, PUBLISHABLE))):
        with pytest.raises(UserError, match=r"with either --preset \(aim, ntire or dped\) or --config"):
            read_published(tmp_path / "published.pth", name, path)


def test_an_unknown_preset_is_named(tmp_path: Path) -> None:
    write_state(tmp_path / "published.pth", {"a": torch.zeros(1)})
    with pytest.raises(UserError, match="preset 'amI' is unknown; did you mean 'aim'"):
        read_published(tmp_path / "published.pth", "amI")


def with_grain(std: float) -> DeFlow:
    model = perturbed(replace(PUBLISHABLE, grain=True))
    assert model.grain is not None
    model.grain.measure(NoiseSpectrum(std**2 * torch.eye(3)[:, :, None, None].expand(3, 3, 32, 32)))
    return model


def test_of_grain_there_may_be_none(tmp_path: Path) -> None:
    with_grain(0.0).save_pretrained(tmp_path / "model")
    write_published(tmp_path / "model", tmp_path / "published.pth")
    assert (tmp_path / "published.pth").exists()


def test_grain_is_refused(tmp_path: Path) -> None:
    with_grain(0.01).save_pretrained(tmp_path / "model")
    with pytest.raises(UserError, match="holds no grain"):
        write_published(tmp_path / "model", tmp_path / "published.pth")
    assert not (tmp_path / "published.pth").exists()
