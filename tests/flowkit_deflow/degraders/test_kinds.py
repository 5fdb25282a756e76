"""What is particular to the kinds of degraders."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from flowkit_deflow.degraders.handwritten.pipeline import HandWritten
from flowkit_deflow.degraders.identity import Identity
from flowkit_deflow.degraders.mixture import Mixture
from flowkit_deflow.degraders.noise_injection import NoiseInjection
from flowkit_deflow.degraders.registry import load_degrader
from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.errors import UserError
from flowkit_deflow.model_folder import read_model_folder, write_model_folder
from tests.flowkit_deflow.degraders.kinds import MAKE, camera, seeded


@pytest.fixture
def images() -> Tensor:
    # Away from 0 and 1, where values are cut off, and no multiple of anything.
    return 0.3 + 0.4 * torch.rand(2, 3, 37, 29, generator=seeded(1))


@pytest.mark.parametrize("kind", sorted(MAKE.keys() - {"none"}))  # which has no settings
def test_settings_of_something_else_are_told(kind: str, tmp_path: Path) -> None:
    MAKE[kind]().save_pretrained(tmp_path / "model")
    stored = read_model_folder(tmp_path / "model")
    write_model_folder(tmp_path / "other", stored.kind, {"unknown": 1}, stored.state)
    with pytest.raises(UserError, match=r"other.config\.json"):
        load_degrader(tmp_path / "other")


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize("wrong", [torch.rand(3, 8, 8), torch.rand(1, 1, 8, 8)], ids=["no batch", "grey"])
def test_what_is_no_batch_of_images_is_refused(kind: str, wrong: Tensor) -> None:
    with pytest.raises(ValueError, match="expected float images"):
        MAKE[kind]().degrade(wrong)


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize("temperature", [-0.1, math.nan, math.inf])
def test_a_temperature_that_makes_no_sense_is_refused(kind: str, temperature: float, images: Tensor) -> None:
    with pytest.raises(ValueError, match=f"temperature is {temperature}"):
        MAKE[kind]().degrade(images, temperature)


class TestCameraNoise:
    def test_the_noise_is_as_strong_as_the_brightness_asks(self) -> None:
        # The measured noise was a tenth of the level; a twentieth is for the measurement's own error.
        for level in (0.3, 0.6):
            flat = torch.full((1, 3, 96, 96), level)
            noise = camera().degrade(flat, samples=4, generator=seeded()) - flat
            assert float(noise.std()) == pytest.approx(0.1 * level, rel=0.15)


class TestNoiseInjection:
    def test_noise_is_that_of_the_patches(self, images: Tensor) -> None:
        patches = torch.tensor([-0.1, 0.1]).view(2, 1, 1, 1).expand(2, 3, 16, 16)
        noise = NoiseInjection(patches).degrade(images, samples=20, generator=seeded()) - images
        torch.testing.assert_close(noise.abs(), torch.full_like(noise, 0.1))
        assert float(noise.mean()) == pytest.approx(0, abs=0.03)  # 240 patches of either sign

    def test_images_are_blurred_by_the_kernels(self) -> None:
        degrader = NoiseInjection(torch.zeros(1, 3, 8, 8), [torch.ones(3, 3) / 9])
        dot = torch.zeros(1, 3, 9, 9)
        dot[..., 4, 4] = 0.9
        assert degrader.degrade(dot)[0, 0, 3:6, 3:6].flatten().tolist() == pytest.approx([0.1] * 9)


class TestMixture:
    def test_parts_are_drawn_by_their_weights(self) -> None:
        mixture = Mixture([Identity(), WhiteNoise(0.1)], [3, 1])
        degraded = mixture.degrade(torch.full((400, 3, 2, 2), 0.5), generator=seeded())
        untouched = (degraded == 0.5).flatten(1).all(1).float().mean()
        # Three standard deviations of a share of 0.75 of 400.
        assert float(untouched) == pytest.approx(0.75, abs=0.065)

    @pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0]])
    def test_weights_that_do_not_fit_are_refused(self, weights: list[float]) -> None:
        with pytest.raises(ValueError, match="expected one > 0 for each"):
            Mixture([Identity(), Identity()], weights)

    def test_a_part_that_makes_images_smaller_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="part 2 of the mixture, 'handwritten', has the scale 4"):
            Mixture([Identity(), HandWritten("bsrgan", scale=4)])
        HandWritten("bsrgan", scale=4).save_pretrained(tmp_path / "part")
        part = read_model_folder(tmp_path / "part")
        settings = {"parts": [{"kind": part.kind, "settings": part.settings}], "weights": [1.0]}
        write_model_folder(tmp_path / "model", "mixture", settings, {})
        with pytest.raises(UserError, match=r"model.config\.json: part 1 of the mixture"):
            load_degrader(tmp_path / "model")
