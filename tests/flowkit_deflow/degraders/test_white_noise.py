import json
from pathlib import Path
from typing import Any

import pytest
import torch

from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.errors import UserError

# Far from 0 and 1: nothing is cut off.
GREY = torch.full((4, 3, 64, 64), 0.5, dtype=torch.float64)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_noise_is_white_and_of_the_given_strength() -> None:
    added = WhiteNoise(0.05).degrade(GREY, generator=seeded()) - GREY
    # 49,152 numbers: the deviation errs by 0.3 %, a correlation by 0.0045; five times that is allowed.
    assert added.std().item() == pytest.approx(0.05, rel=0.016)
    assert added.mean().item() == pytest.approx(0, abs=0.0012)
    for one, other in ((added[..., 1:], added[..., :-1]), (added[..., 1:, :], added[..., :-1, :])):
        assert (one * other).mean() / added.var() == pytest.approx(0, abs=0.023)
    assert (added[:, 0] * added[:, 1]).mean() / added.var() == pytest.approx(0, abs=0.04)


def test_the_temperature_scales_it() -> None:
    whole, half = (WhiteNoise(0.05).degrade(GREY, t, generator=seeded()) - GREY for t in (1.0, 0.5))
    torch.testing.assert_close(half, 0.5 * whole)
    assert torch.equal(WhiteNoise(0.05).degrade(GREY, 0.0), GREY)


def test_each_version_of_each_image_gets_a_strength_of_its_own() -> None:
    noisy = WhiteNoise((0.0, 0.1)).degrade(GREY, samples=100, generator=seeded())
    strengths = (noisy - GREY).std((-3, -2, -1)).flatten()
    assert strengths.max() < 0.105
    # Uniform: the mean of 400 errs by 0.0014, the deviation by 0.001.
    assert strengths.mean().item() == pytest.approx(0.05, abs=0.006)
    assert strengths.std().item() == pytest.approx(0.1 / 12**0.5, abs=0.004)


def test_shapes_range_and_dtype() -> None:
    images = torch.rand(2, 3, 5, 7)
    one, three = WhiteNoise(0.5).degrade(images), WhiteNoise(0.5).degrade(images, samples=3)
    assert one.shape == images.shape
    assert three.shape == (3, *images.shape)
    assert one.dtype == torch.float32
    assert three.min() == 0
    assert three.max() == 1


def test_the_generator_decides() -> None:
    noise = WhiteNoise((0.0, 0.1))
    assert torch.equal(noise.degrade(GREY, generator=seeded()), noise.degrade(GREY, generator=seeded()))
    assert not torch.equal(noise.degrade(GREY, generator=seeded()), noise.degrade(GREY, generator=seeded(1)))


@pytest.mark.parametrize("sigma", [-0.1, float("nan"), float("inf"), (0.2, 0.1), (-0.1, 0.1)])
def test_strengths_that_are_none_are_refused(sigma: Any) -> None:
    with pytest.raises(ValueError, match="expected a finite number >= 0"):
        WhiteNoise(sigma)


def test_images_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="expected float images B x 3 x H x W"):
        WhiteNoise(0.1).degrade(torch.zeros(3, 8, 8))
    with pytest.raises(ValueError, match="samples is 0"):
        WhiteNoise(0.1).degrade(GREY, samples=0)


class TestFolder:
    def test_there_and_back(self, tmp_path: Path) -> None:
        noise = WhiteNoise((0.01, 0.1))
        noise.save_pretrained(tmp_path / "model")
        loaded = WhiteNoise.from_pretrained(tmp_path / "model")
        assert not loaded.training
        assert torch.equal(loaded.degrade(GREY, generator=seeded()), noise.degrade(GREY, generator=seeded()))

    @pytest.mark.parametrize(
        "settings", [None, {}, {"sigma": 0.1}, {"sigma": [0.1]}, {"sigma": ["a", 0.1]}, {"sigma": [0, 0.1], "mu": 0}]
    )
    def test_settings_that_are_none(self, tmp_path: Path, settings: object) -> None:
        WhiteNoise(0.1).save_pretrained(tmp_path / "model")
        path = tmp_path / "model" / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"settings": settings}))
        with pytest.raises(UserError, match=r"config\.json: holds the settings .*, expected 'sigma': \[low, high\]"):
            WhiteNoise.from_pretrained(tmp_path / "model")

    def test_a_range_that_falls(self, tmp_path: Path) -> None:
        WhiteNoise(0.1).save_pretrained(tmp_path / "model")
        path = tmp_path / "model" / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"settings": {"sigma": [0.2, 0.1]}}))
        with pytest.raises(UserError, match=r"config\.json: sigma is \(0\.2, 0\.1\); expected"):
            WhiteNoise.from_pretrained(tmp_path / "model")
