"""Grain: of the measured spectrum, the same in tiles, added where degraded images are generated and nowhere else."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.images.noise_spectrum import NoiseSpectrum, cosine_basis
from flowkit_deflow.images.resize import Window
from flowkit_deflow.method.grain import Grain
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.method.model import DeFlow
from tests.flowkit_deflow.networks import TINY, UNCONDITIONAL, perturbed

# Fourier transforms of other sizes round differently: float32, and sums of some thousand numbers of 0.1.
ROUNDING: dict[str, Any] = {"atol": 1e-6, "rtol": 0.0}
SIDE = 32


def coloured() -> NoiseSpectrum:
    """Soft noise that is stronger along rows, its channels alike by halves, with a deviation of 0.05."""
    frequency = torch.arange(SIDE) / (2 * SIDE)
    shape = torch.exp(-((frequency[:, None] / 0.3).square() + (frequency / 0.15).square()))
    channels = torch.tensor([[1.0, 0.5, 0.5], [0.5, 1.0, 0.5], [0.5, 0.5, 1.0]])
    return NoiseSpectrum(0.05**2 * channels[:, :, None, None] * shape / shape.mean())


def with_grain(model: DeFlow) -> DeFlow:
    """The same model with coloured grain."""
    other = DeFlow(replace(model.config, grain=True)).to(next(model.parameters())).eval()
    assert other.grain is not None
    other.grain.measure(coloured())
    other.load_state_dict(model.state_dict() | {"grain.gains": other.grain.gains})
    return other


def greys(height: int = 40, width: int = 56) -> Tensor:
    """Grey ramps, whose noisy versions stay inside [0, 1], where nothing is clipped."""
    return torch.linspace(0.45, 0.55, width).expand(2, 3, height, width).clone()


def test_its_spectrum_is_the_measured_one() -> None:
    grain = Grain()
    grain.measure(coloured())
    field = grain.window(SeededNoise(0, ""), "grain", (4, 3, 512, 512), Window(0, 0, 512, 512))
    basis = cosine_basis(SIDE)
    patches = field.unfold(2, SIDE, SIDE).unfold(3, SIDE, SIDE).permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
    coefficients = basis @ patches @ basis.T
    found = torch.einsum("ncuv,nduv->cduv", coefficients, coefficients) / len(coefficients)
    expected = coloured()
    # Of 1024 patches, which scatter by 1 %; their edges cut through the noise, which moves some of it to other waves.
    assert grain.std == pytest.approx(0.05, rel=1e-5)
    torch.testing.assert_close(found.mean((2, 3)), expected.covariance, atol=0.0, rtol=0.03)
    for rows, columns in ((slice(0, 8), slice(0, 8)), (slice(8, 16), slice(0, 8)), (slice(0, 8), slice(8, 16))):
        band, wanted = (power[..., rows, columns].diagonal().mean() for power in (found, expected.power))
        assert float(band) == pytest.approx(float(wanted), rel=0.08)


def test_nothing_is_lacking_where_the_spectrum_is_negative() -> None:
    grain = Grain()
    grain.measure(NoiseSpectrum(-coloured().power))
    assert grain.std == 0


def test_a_window_is_a_part_of_the_whole() -> None:
    grain = Grain()
    grain.measure(coloured())
    noise = SeededNoise(1, "a.png")
    whole = grain.window(noise, "grain", (2, 3, 50, 70), Window(0, 0, 50, 70))
    part = grain.window(noise, "grain", (2, 3, 50, 70), Window(13, 30, 20, 40))
    torch.testing.assert_close(part, whole[..., 13:33, 30:70], **ROUNDING)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_it_is_computed_in_float32_whatever_the_weights_are(dtype: torch.dtype) -> None:
    grain = Grain()
    grain.measure(coloured())
    noise, window = SeededNoise(1, ""), Window(0, 0, 40, 40)
    field = grain.window(noise, "grain", (1, 3, 40, 40), window)
    other = grain.to(dtype).window(noise, "grain", (1, 3, 40, 40), window)
    assert other.dtype == torch.float32
    # The gains themselves are rounded to the weights' precision, to 3 digits in bfloat16.
    torch.testing.assert_close(other, field, atol=0.004 * 0.05 * 5, rtol=0.0)


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_it_comes_on_top_of_what_is_generated(temperature: float) -> None:
    model = perturbed(TINY)
    noise = SeededNoise(2, "a.png")
    without, with_it = (m.degrade(greys(), temperature, noise=noise) for m in (model, with_grain(model)))
    grain = with_grain(model).grain
    assert grain is not None
    field = grain.window(noise, "sample 0 grain", (2, 3, 40, 56), Window(0, 0, 40, 56))
    inside = (with_it > 0) & (with_it < 1) & (without > 0) & (without < 1)
    assert inside.float().mean() > 0.95
    torch.testing.assert_close((with_it - without)[inside], (temperature * field)[inside], **ROUNDING)


def test_without_temperature_there_is_none() -> None:
    model = perturbed(TINY)
    noise = SeededNoise(2, "a.png")
    assert torch.equal(with_grain(model).degrade(greys(), 0.0, noise=noise), model.degrade(greys(), 0.0, noise=noise))


def test_degraded_samples_have_it_and_clean_images_do_not() -> None:
    model = perturbed(TINY)
    noise = SeededNoise(2, "a.png")
    both = (model, with_grain(model))
    for domain in Domain:
        one, other = (m.sample(greys(), domain, noise=noise) for m in both)
        assert torch.equal(one, other) == (domain is Domain.CLEAN)
    one, other = (m.restore(greys(), noise=noise) for m in both)
    assert torch.equal(one, other)


def test_samples_have_grain_of_their_own() -> None:
    silent = perturbed(UNCONDITIONAL)
    for shift in silent.latents.shifts:
        for parameter in shift.parameters():
            parameter.data.zero_()
    one, other = with_grain(silent).degrade(greys(), samples=2, noise=SeededNoise(0, ""))
    assert (one - other).std() == pytest.approx(0.05 * 2**0.5, rel=0.1)


def test_tiles_show_no_seams() -> None:
    model = with_grain(perturbed(UNCONDITIONAL))
    images = greys(64, 200)
    noise = SeededNoise(4, "a.png")
    whole, tiled = (model.degrade(images, noise=noise, tile=tile) for tile in (None, 64))
    torch.testing.assert_close(tiled, whole, atol=1e-4, rtol=0.0)


def test_it_is_stored(tmp_path: Path) -> None:
    model = with_grain(perturbed(TINY))
    model.save_pretrained(tmp_path / "model")
    noise = SeededNoise(0, "")
    again = DeFlow.from_pretrained(tmp_path / "model")
    assert torch.equal(again.degrade(greys(), noise=noise), model.degrade(greys(), noise=noise))
