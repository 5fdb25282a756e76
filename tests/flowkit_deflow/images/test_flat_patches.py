import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit_deflow.images.flat_patches import FlatPatches, measure_flat_patches
from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.images.resize import bicubic_downsample

STD = 0.04
KERNEL = torch.tensor([1.0, 2.0, 1.0]) / math.sqrt(6)


def scene(seed: int, size: int = 160) -> Tensor:
    """A picture of shaded surfaces with straight edges, and rough ground in its lower third."""
    generator = seeded_generator(seed, "scene")
    rows, columns = torch.meshgrid(torch.linspace(0, 1, size), torch.linspace(0, 1, size), indexing="ij")
    image = 0.35 + 0.1 * rows
    for _ in range(4):
        angle, offset, step = torch.rand(3, generator=generator).tolist()
        side = torch.cos(torch.tensor(6.28 * angle)) * (rows - 0.5) + torch.sin(torch.tensor(6.28 * angle)) * (
            columns - 0.5
        )
        image = image + 0.15 * (step - 0.5) * (side > 0.6 * (offset - 0.5))
    ground = 0.1 * torch.randn(size, size, generator=generator)
    return (image + ground * (rows > 2 / 3)).expand(3, -1, -1).clamp(0, 1)


def coarse(shape: torch.Size, seed: int) -> Tensor:
    """Noise of unit variance with a correlation of 2/3 between neighbours, and of 1/2 between channels."""
    generator = seeded_generator(seed, "noise")
    grey, colour = torch.randn(1, *shape[1:], generator=generator), torch.randn(shape, generator=generator)
    white = F.pad(((grey + colour) / math.sqrt(2))[:, None], (1, 1, 1, 1), mode="reflect")
    return F.conv2d(F.conv2d(white, KERNEL.view(1, 1, -1, 1)), KERNEL.view(1, 1, 1, -1))[:, 0]


def noisy(seed: int, strength: float = STD) -> Tensor:
    image = scene(seed)
    return (image + strength * coarse(image.shape, seed)).clamp(0, 1)


def test_noise_is_measured_from_other_scenes_than_the_reference() -> None:
    noise = measure_flat_patches(map(noisy, range(20))) - measure_flat_patches(map(scene, range(20, 40)))
    spectrum = noise.spectrum
    # 10 images of about 2 patches are averaged: about 300 independent values of noise as coarse as h for factor 4.
    assert spectrum.overall_std == pytest.approx(STD, rel=0.08)
    assert spectrum.autocorrelation(0, 1) == pytest.approx(2 / 3, abs=0.07)
    assert spectrum.correlation[0, 1].item() == pytest.approx(0.5, abs=0.12)
    downsampled = bicubic_downsample(coarse(torch.Size((3, 800, 800)), 99), 4).std().item()
    assert spectrum.surviving_std(4) / spectrum.overall_std == pytest.approx(downsampled, abs=0.05)


def test_waves_across_patches_are_told_from_finer_ones() -> None:
    """Half of the images decide; fine noise of 0.05 has a fortieth of its variance in the ranked waves.

    It takes a little off them in the flattest one of 25 patches.
    """
    columns = (torch.arange(96) + 0.5) / 32
    patches = FlatPatches()
    assert math.isnan(patches.waves)
    for seed, amplitude in enumerate((0.0, 0.1, 0.1, 0.1, 0.3)):
        fine = 0.05 * torch.randn(3, 96, 96, generator=seeded_generator(seed, "fine"))
        patches.add((0.5 + amplitude * torch.cos(2 * math.pi * columns) + fine).clamp(0, 1))
    assert patches.waves == pytest.approx(math.hypot(0.1 / math.sqrt(2), 0.05 / math.sqrt(40)), rel=0.05)


def test_texture_is_passed_over() -> None:
    """A third of the picture is rougher than the noise: it is not taken for noise."""
    clean = measure_flat_patches(map(scene, range(10)))
    assert clean.spectrum.overall_std < 0.1 * STD


def test_brightness() -> None:
    def shot(seed: int) -> Tensor:
        image = torch.linspace(0.1, 0.9, 256).expand(3, 256, -1)
        return (image + 0.05 * image * torch.randn(image.shape, generator=seeded_generator(seed, "shot"))).clamp(0, 1)

    std = measure_flat_patches(map(shot, range(6))).brightness_std
    middles = torch.tensor([0.19, 0.31, 0.44, 0.56, 0.69, 0.81])
    # Half of the images have a patch or two in a bin, of 3,000 values each: the quieter half's mean is 2 % low.
    torch.testing.assert_close(std[1:7], 0.05 * middles, rtol=0.12, atol=0)


def test_bins_without_patches_are_not_measured() -> None:
    std = measure_flat_patches([torch.full((3, 96, 96), 0.45)] * 4).brightness_std
    assert std.isnan().tolist() == [index != 3 for index in range(8)]


def test_clipped_patches_are_left_out() -> None:
    def overexposed(seed: int) -> Tensor:
        """The left half is white, in which noise is cut off; it would be the flattest of all."""
        image = torch.full((3, 128, 256), 0.5)
        image[:, :, :128] = 1.0
        return (image + STD * torch.randn(image.shape, generator=seeded_generator(seed, "noise"))).clamp(0, 1)

    assert measure_flat_patches(map(overexposed, range(6))).spectrum.overall_std == pytest.approx(STD, rel=0.05)


def test_images_that_cannot_be_measured_are_passed_over() -> None:
    patches = FlatPatches()
    patches.add(torch.rand(3, 31, 400))
    patches.add(torch.ones(3, 64, 64))
    with pytest.raises(ValueError, match="no image holds a patch of 32 x 32 pixels"):
        patches.result()
    patches.add(torch.full((3, 32, 32), 0.5))
    assert patches.result().images == 1


def test_an_image_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(1, 64, 64\); expected 3 x H x W"):
        FlatPatches().add(torch.zeros(1, 64, 64))


def test_half_precision_and_transposed_images_are_measured_alike() -> None:
    image = noisy(3)
    mirrored = image.mT.contiguous().mT
    assert measure_flat_patches([mirrored]).spectrum.overall_std == measure_flat_patches([image]).spectrum.overall_std
