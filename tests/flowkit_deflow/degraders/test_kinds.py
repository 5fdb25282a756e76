"""What every kind of degrader does alike."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from flowkit_deflow.degraders.adversarial.probabilistic import ProbabilisticDegradation
from flowkit_deflow.degraders.adversarial.translation import DomainAwareTranslation, Translation
from flowkit_deflow.degraders.camera_noise import CameraNoise
from flowkit_deflow.degraders.degrader import Degrader
from flowkit_deflow.degraders.identity import Identity
from flowkit_deflow.degraders.mixture import Mixture
from flowkit_deflow.degraders.noise_injection import NoiseInjection
from flowkit_deflow.degraders.registry import DEGRADERS, load_degrader
from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.flat_patches import measure_flat_patches
from flowkit_deflow.model_folder import read_model_folder, write_model_folder
from flowkit_deflow.settings.adversarial import PdmNetwork, TranslationNetwork


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randomised(model: torch.nn.Module) -> torch.nn.Module:
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1, generator=seeded())
    return model.eval()


def camera() -> CameraNoise:
    flat = [level + 0.1 * level * torch.randn(3, 64, 64, generator=seeded(i)) for i in range(6) for level in (0.3, 0.6)]
    return CameraNoise(measure_flat_patches(flat))


def injection() -> NoiseInjection:
    patches = 0.05 * torch.randn(5, 3, 16, 16, generator=seeded())
    return NoiseInjection(patches - patches.mean((2, 3), keepdim=True), [torch.ones(3, 3) / 9, torch.ones(1, 1)])


NETWORK = TranslationNetwork(features=6, blocks=1, discriminator_features=4)


def kinds() -> list[Degrader]:
    """One of each kind but DeFlow."""
    pdm = ProbabilisticDegradation(PdmNetwork(kernel_side=5, kernel_latents=4, noise_features=4, noise_blocks=1))
    made = [
        WhiteNoise((0.01, 0.1)),
        Identity(),
        camera(),
        injection(),
        randomised(Translation(NETWORK)),
        randomised(DomainAwareTranslation(NETWORK)),
        randomised(pdm),
        Mixture([WhiteNoise(0.05), camera(), Mixture([Identity(), injection()])], [1, 2, 1]),
    ]
    assert all(isinstance(part, torch.nn.Module) for part in made)
    return made  # type: ignore[return-value]


KINDS = {degrader.kind: degrader for degrader in kinds()}


def test_every_kind_is_tested() -> None:
    assert {*KINDS, "deflow"} == set(DEGRADERS)


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def degrader(request: pytest.FixtureRequest) -> Degrader:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def images() -> Tensor:
    # Away from 0 and 1, where values are cut off, and no multiple of anything.
    return 0.3 + 0.4 * torch.rand(2, 3, 37, 29, generator=seeded(1))


def test_versions_have_the_shape_of_the_images(degrader: Degrader, images: Tensor) -> None:
    assert degrader.degrade(images, generator=seeded()).shape == images.shape
    versions = degrader.degrade(images, samples=3, generator=seeded())
    assert versions.shape == (3, *images.shape)
    assert 0 <= float(versions.min()) <= float(versions.max()) <= 1


def test_a_generator_decides_everything(degrader: Degrader, images: Tensor) -> None:
    first = degrader.degrade(images, samples=2, generator=seeded(3))
    torch.manual_seed(17)
    assert torch.equal(first, degrader.degrade(images, samples=2, generator=seeded(3)))


def test_without_temperature_nothing_happens(degrader: Degrader, images: Tensor) -> None:
    torch.testing.assert_close(degrader.degrade(images, 0.0, generator=seeded()), images, rtol=0, atol=1e-6)


def test_what_is_random_differs_from_sample_to_sample(degrader: Degrader, images: Tensor) -> None:
    first, second = degrader.degrade(images[:1].expand(8, -1, -1, -1), samples=2, generator=seeded())
    fixed = isinstance(degrader, (Identity, Translation))
    assert torch.equal(first, second) == fixed


def test_a_folder_gives_it_back(degrader: Degrader, images: Tensor, tmp_path: Path) -> None:
    degrader.save_pretrained(tmp_path / "model")
    loaded = load_degrader(tmp_path / "model")
    assert type(loaded) is type(degrader)
    expected = degrader.degrade(images, generator=seeded())
    assert torch.equal(loaded.degrade(images, generator=seeded()), expected)


def test_settings_of_something_else_are_told(degrader: Degrader, tmp_path: Path) -> None:
    if isinstance(degrader, Identity):
        return  # has none
    degrader.save_pretrained(tmp_path / "model")
    stored = read_model_folder(tmp_path / "model")
    write_model_folder(tmp_path / "other", stored.kind, {"unknown": 1}, stored.state)
    with pytest.raises(UserError, match=r"other.config\.json"):
        load_degrader(tmp_path / "other")


@pytest.mark.parametrize("wrong", [torch.rand(3, 8, 8), torch.rand(1, 1, 8, 8)])
def test_what_is_no_batch_of_images_is_refused(degrader: Degrader, wrong: Tensor) -> None:
    with pytest.raises(ValueError, match="expected float images"):
        degrader.degrade(wrong)


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
