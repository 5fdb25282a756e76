import pytest
import torch
from torch import Tensor

from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.images.resize import bicubic_downsample
from flowkit_deflow.training.conditioning.linear_deflow import LinearDeFlow

SIZE = 96
STD = 0.04


def scene(seed: int) -> Tensor:
    """Smooth ground: noise of the coarse grid, enlarged 16 times."""
    coarse = torch.rand(1, 3, SIZE // 16, SIZE // 16, generator=seeded_generator(seed, "scene"))
    return torch.nn.functional.interpolate(coarse, size=(SIZE, SIZE), mode="bicubic")[0].mul(0.5).add(0.25)


def white(seed: int) -> Tensor:
    return STD * torch.randn(3, SIZE, SIZE, generator=seeded_generator(seed, "noise"))


def coarse(seed: int) -> Tensor:
    """Noise that is constant over 8 x 8 pixels: all of it survives in h of factor 4."""
    return white(seed)[:, ::8, ::8].repeat_interleave(8, 1).repeat_interleave(8, 2)


def sets(noise, count: int = 12) -> tuple[list[Tensor], list[Tensor], list[tuple[Tensor, Tensor]]]:  # type: ignore[no-untyped-def]
    clean = [scene(seed) for seed in range(count)]
    degraded = [scene(seed) + noise(seed) for seed in range(count, 2 * count)]
    pairs = [(scene(seed), scene(seed) + noise(seed)) for seed in range(2 * count, 3 * count)]
    return clean, degraded, pairs


@pytest.mark.parametrize("factor", [4, 8])
def test_fine_noise_is_generated_as_it_is(factor: int) -> None:
    clean, degraded, pairs = sets(white)
    model = LinearDeFlow(clean, degraded, factor, h_noise=0.03)
    # Of white noise a sixteenth of the variance is in h at factor 4, of which a part is predicted.
    assert model.overall_std == pytest.approx(STD, rel=0.08)
    assert model.divergence(pairs) < 0.02


def test_noise_that_h_holds_is_not_generated() -> None:
    clean, degraded, pairs = sets(coarse)
    seen = LinearDeFlow(clean, degraded, 4, h_noise=0.0)
    hidden = LinearDeFlow(clean, degraded, 4, h_noise=0.2)
    assert seen.overall_std < 0.5 * STD
    assert hidden.overall_std > 0.7 * STD
    assert seen.divergence(pairs) > 2 * hidden.divergence(pairs)


def test_the_generated_covariance_is_that_of_the_noise_within_a_block() -> None:
    clean, degraded, _ = sets(coarse)
    covariance = LinearDeFlow(clean, degraded, 4, h_noise=0.2).covariance.mean(0)
    pixels = covariance.view(3, 16, 3, 16)
    within = pixels[0, :, 0].mean() / pixels[0, :, 0].diagonal().mean()
    between = pixels[0, :, 1].mean() / pixels[0, :, 0].diagonal().mean()
    assert within > 0.85  # the same value in all pixels of a block
    assert abs(between) < 0.1  # and another in each channel


def test_the_truth_has_no_divergence_and_twice_the_strength_has() -> None:
    clean, degraded, pairs = sets(white)
    model = LinearDeFlow(clean, degraded, 4, h_noise=0.03)
    model.covariance = STD**2 * torch.eye(48, dtype=torch.float64).expand_as(model.covariance)
    assert model.divergence(pairs) < 2e-3
    model.covariance = 4 * model.covariance
    ratio = torch.tensor(1 / 4)
    assert model.divergence(pairs) == pytest.approx(0.5 * (ratio - 1 - ratio.log()).item(), rel=0.05)


def test_the_same_seed_gives_the_same_model() -> None:
    clean, degraded, _ = sets(white, 6)
    first, second, third = (LinearDeFlow(clean, degraded, 8, 0.03, seed).covariance for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_images_of_any_size_are_cut_to_whole_pixels_of_h() -> None:
    odd = [scene(seed)[:, :91, :83] for seed in range(8)]
    model = LinearDeFlow(odd, [image + white(seed)[:, :91, :83] for seed, image in enumerate(odd)], 8, 0.03)
    assert bicubic_downsample(odd[0], 8).shape[1:] == (12, 11)
    assert model.overall_std > 0.5 * STD
