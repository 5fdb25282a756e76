"""The grain of a model, measured where degraded images exceed generated ones."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from flowkit_deflow.images.image_files import write_image
from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.images.noise_spectrum import NoiseSpectrum
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.data import UnpairedCrops
from flowkit_deflow.training.grain_inference import infer_grain, lacking
from flowkit_deflow.training.paired_crops import crops_of
from flowkit_deflow.training.trainer import train
from tests.flowkit_deflow.networks import UNCONDITIONAL, perturbed

Settings = Callable[..., Run]
Images = Callable[[Domain], Iterator[tuple[Path, Tensor]]]


pytestmark = pytest.mark.filterwarnings("ignore:::pytorch_lightning")


def faint() -> DeFlow:
    """A model whose shift adds nothing."""
    model = perturbed(replace(UNCONDITIONAL, grain=True))
    for shift in model.latents.shifts:
        for parameter in shift.parameters():
            parameter.data.zero_()
    return model


def ramps(std: float, side: int = 96, slope: float = 0.05) -> Images:
    """Eight smooth images of either domain, with white noise on the degraded ones."""

    def images(domain: Domain) -> Iterator[tuple[Path, Tensor]]:
        for number in range(8):
            generator = torch.Generator().manual_seed(number)
            image = torch.linspace(0.3, 0.3 + slope * (1 + number / 8), side).expand(3, side, side)
            noise = std * torch.randn(image.shape, generator=generator)
            yield Path(f"{number}.png"), image + noise if domain is Domain.DEGRADED else image

    return images


def test_what_is_lacking_is_added() -> None:
    model = faint()
    infer_grain(model, ramps(0.03))
    assert model.grain is not None
    # Planes are taken off the patches, 3 of 1024 numbers, and the generated images are rounded to 8 bits.
    assert model.grain.std == pytest.approx(0.03, rel=0.02)
    image = next(ramps(0.0)(Domain.CLEAN))[1][None]
    assert (model.degrade(image, noise=SeededNoise(9, "")) - image).std() == pytest.approx(0.03, rel=0.05)


def test_measured_again_it_is_the_same() -> None:
    model = faint()
    infer_grain(model, ramps(0.03))
    assert model.grain is not None
    before = model.grain.gains.clone()
    infer_grain(model, ramps(0.03))
    assert torch.equal(model.grain.gains, before)


def test_where_too_much_is_generated_nothing_is_added() -> None:
    model = faint()
    for shift in model.latents.shifts:
        shift.matrix.data.copy_(0.5 * torch.eye(shift.channels))
    infer_grain(model, ramps(0.0))
    assert model.grain is not None
    assert model.grain.std == 0


def scattered(count: int, seed: int, strength: float = 1.0) -> Tensor:
    """Spectra of images whose noise differs in level, by half of its variance, and as chance has it."""
    generator = torch.Generator().manual_seed(seed)
    level = 1 + torch.rand(count, 1, 1, 1, 1, generator=generator) - 0.5
    factors = torch.randn(count, 3, 9, 32, 32, generator=generator)
    return strength * level * torch.einsum("nikuv,njkuv->nijuv", factors, factors) / 9


def test_a_weave_of_some_scenes_makes_no_weave() -> None:
    real, generated = scattered(20, 1, 3.0), scattered(20, 2)
    # Both diagonals of one wave, far above the noise.
    real[:, :, :, 10, 10] *= 30
    found = lacking(real, generated).channel_mean
    assert found[10, 10] == found[0, 14] == found[14, 0]
    assert found[10, 10] < 6 * found.median()


def test_chance_lacks_nothing() -> None:
    real, generated = scattered(20, 1), scattered(20, 2)
    assert lacking(real, generated).channel_mean.mean() < 0.02


def test_what_is_surely_lacking_is_found_in_full() -> None:
    found = lacking(scattered(20, 1, 3.0), scattered(20, 2)).channel_mean.mean()
    assert float(found) == pytest.approx(2.0, rel=0.15)


def test_what_bright_images_alone_lack_is_not_added() -> None:
    real, generated = scattered(20, 1), scattered(20, 2)
    real[14:] *= 4
    real[:14] /= 2
    assert lacking(real, generated).channel_mean.mean() < 0.1


@pytest.mark.parametrize("counts", [(0, 5), (2, 5), (5, 2)])
def test_of_two_images_nothing_is_taken(counts: tuple[int, int]) -> None:
    real, generated = (scattered(count, 0, 2.0 - number) for number, count in enumerate(counts))
    assert lacking(real, generated).overall_std == 0


def test_images_without_flat_places_leave_it_zero() -> None:
    model = faint()
    assert model.grain is not None
    model.grain.measure(NoiseSpectrum(torch.eye(3)[:, :, None, None].expand(3, 3, 32, 32)))
    infer_grain(model, ramps(0.03, side=31))
    assert model.grain.std == 0


def test_pictures_that_are_flat_nowhere_leave_it_zero() -> None:
    model = faint()
    # Over a patch of 32 pixels, 0.11 to 0.2 of full scale: 8 grey levels and more about the mean.
    infer_grain(model, ramps(0.03, slope=0.33))
    assert model.grain is not None
    assert model.grain.std == 0


def test_a_model_without_grain_stays_as_it_is() -> None:
    model = perturbed(UNCONDITIONAL)
    infer_grain(model, ramps(0.03))
    assert model.grain is None


def test_training_ends_with_it(tiny: Settings, tmp_path: Path) -> None:
    for domain in Domain:
        (tmp_path / domain.name).mkdir()
        for file, image in ramps(0.03)(domain):
            write_image(tmp_path / domain.name / file, image)
    folders = f"data.clean={tmp_path / 'CLEAN'}", f"data.degraded={tmp_path / 'DEGRADED'}"
    model, _ = train(tiny("architecture.grain=true", *folders), tmp_path / "run", progress=False)
    assert model.grain is not None
    assert model.grain.std > 0
    stored = DeFlow.from_pretrained(tmp_path / "run" / "model")
    assert stored.grain is not None
    assert torch.equal(stored.grain.gains, model.grain.gains)


def test_images_are_taken_from_all_over_the_folder(tiny: Settings) -> None:
    run = tiny()
    crops = crops_of(run.data, run.architecture, run.training.batch, 0)
    assert isinstance(crops, UnpairedCrops)
    files = crops.files[Domain.CLEAN]
    assert len(files) >= 6
    assert [file for file, _ in crops.whole_images(Domain.CLEAN, most=3)] == files[:: -(-len(files) // 3)]
    assert [file for file, _ in crops.whole_images(Domain.CLEAN, most=100)] == files
