import pytest
import torch
from torch import Tensor

from flowkit_deflow.images.flat_patches import FlatPatchNoise
from flowkit_deflow.images.noise_spectrum import NoiseSpectrum
from flowkit_deflow.training.conditioning.rehearsal import rehearse
from tests.flowkit_deflow.training.conditioning.conftest import scene


def noise(shape: Tensor) -> FlatPatchNoise:
    """Noise of 10 grey levels whose power has this course over frequencies."""
    power = (10 / 255) ** 2 * shape / shape.mean()
    return FlatPatchNoise(NoiseSpectrum(torch.eye(3)[:, :, None, None] * power), torch.full((8,), (10 / 255) ** 2), 1)


WAVES = torch.arange(32.0)
WHITE = noise(torch.ones(32, 32))
COARSE = noise(torch.exp(-(WAVES[:, None].square() + WAVES.square()) / 8))


@pytest.fixture(scope="module")
def scenes() -> list[Tensor]:
    return [scene(seed) for seed in range(12)]


def test_there_is_a_trial_for_each_h(scenes: list[Tensor]) -> None:
    trials = rehearse(scenes, WHITE, (4, 16), (0.03, 0.06))
    assert [(trial.factor, trial.h_noise) for trial in trials] == [(4, 0.03), (4, 0.06), (16, 0.03), (16, 0.06)]


def test_an_h_that_holds_the_noise_is_found_out(scenes: list[Tensor]) -> None:
    seen, hidden = rehearse(scenes, COARSE, (4,), (0.001, 0.12))
    assert seen.divergence > 2 * hidden.divergence


def test_white_noise_comes_out_well_with_any(scenes: list[Tensor]) -> None:
    # Of 12 scenes that differ in their texture; noise of half the strength would be off by 0.5 nats.
    assert all(trial.divergence < 0.1 for trial in rehearse(scenes, WHITE, (4, 8), (0.03,)))
