import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from flowkit_deflow.images.flat_patches import FlatPatchNoise, measure_flat_patches
from flowkit_deflow.images.noise_spectrum import NoiseSpectrum
from flowkit_deflow.images.synthetic_noise import add_noise_like, gaussian_field

CHANNELS = torch.tensor([[4.0, 1.0, 0.0], [1.0, 2.0, -0.5], [0.0, -0.5, 1.0]]) * 1e-3


def coarse() -> NoiseSpectrum:
    """Power that falls with frequency, as exp(-(u^2 + v^2) / 512)."""
    wave = torch.arange(32.0)
    shape = torch.exp(-(wave[:, None].square() + wave.square()) / 512)
    return NoiseSpectrum(CHANNELS[:, :, None, None] * shape / shape.mean())


def fields(spectrum: NoiseSpectrum, height: int, width: int, count: int) -> list[Tensor]:
    return [gaussian_field(spectrum, height, width, torch.Generator().manual_seed(seed)) for seed in range(count)]


def test_a_field_has_the_covariance_of_its_spectrum() -> None:
    samples = torch.cat([field.flatten(1) for field in fields(coarse(), 160, 200, 12)], 1)
    # Of 384,000 values some 20,000 are independent: a standard error of 1 % of a variance.
    torch.testing.assert_close(torch.cov(samples), CHANNELS, atol=2e-4, rtol=0)


def test_a_field_that_is_measured_has_the_spectrum_that_it_was_made_of() -> None:
    spectrum = coarse()
    measured = measure_flat_patches([0.5 + field for field in fields(spectrum, 160, 200, 16)]).spectrum
    assert measured.overall_std == pytest.approx(spectrum.overall_std, rel=0.08)
    assert measured.autocorrelation(0, 1) == pytest.approx(spectrum.autocorrelation(0, 1), abs=0.03)
    # Patches are ranked by their coarsest waves, so that coarse noise is measured a tenth too low.
    assert measured.surviving_std(4) == pytest.approx(spectrum.surviving_std(4), rel=0.15)


def test_the_strength_follows_brightness() -> None:
    strength = torch.tensor([math.nan, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, math.nan])
    noise = FlatPatchNoise(NoiseSpectrum(torch.eye(3)[:, :, None, None].expand(3, 3, 32, 32)), strength**2, 1)
    for brightness, expected in ((0.19, 0.01), (0.5, 0.035), (0.25, 0.015), (0.81, 0.06), (0.1, 0.01)):
        image = torch.full((3, 128, 128), brightness)
        degraded = add_noise_like(noise, image, torch.Generator().manual_seed(0))
        assert (degraded - image).std().item() == pytest.approx(expected, rel=0.03)


def test_without_a_strength_by_brightness_the_noise_is_everywhere_alike() -> None:
    noise = FlatPatchNoise(coarse(), torch.full((8,), math.nan), 1)
    dark, light = (
        add_noise_like(noise, torch.full((3, 64, 64), value), torch.Generator().manual_seed(0)) - value
        for value in (0.4, 0.6)
    )
    torch.testing.assert_close(dark, light, atol=1e-6, rtol=0)
    assert dark.std().item() == pytest.approx(coarse().overall_std, rel=0.15)


def test_no_noise_adds_none() -> None:
    noise = FlatPatchNoise(NoiseSpectrum(torch.zeros(3, 3, 32, 32)), torch.zeros(8), 1)
    image = torch.rand(3, 40, 56)
    torch.testing.assert_close(add_noise_like(noise, image, torch.Generator()), image)
    torch.testing.assert_close(add_noise_like(replace(noise, images=3), image, torch.Generator()), image)
