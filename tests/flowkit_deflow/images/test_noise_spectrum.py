import math

import pytest
import torch
from torch import Tensor

from flowkit_deflow.images.noise_spectrum import RADII, NoiseSpectrum, cosine_basis
from flowkit_deflow.images.resize import bicubic_downsample

SIZE = 32


def filtered(count: int, taps: list[float], size: int = SIZE) -> Tensor:
    """Stationary noise: white noise filtered along rows and columns, without the filter's borders; N x size x size."""
    generator = torch.Generator().manual_seed(0)
    kernel = torch.tensor(taps)
    white = torch.randn(count, 1, size + len(taps) - 1, size + len(taps) - 1, generator=generator)
    rows = torch.nn.functional.conv2d(white, kernel.view(1, 1, -1, 1))
    return torch.nn.functional.conv2d(rows, kernel.view(1, 1, 1, -1))[:, 0]


def measured(patches: Tensor) -> NoiseSpectrum:
    """The spectrum of N x 3 x B x B patches of noise."""
    coefficients = cosine_basis(patches.shape[-1]) @ patches @ cosine_basis(patches.shape[-1]).T
    return NoiseSpectrum((coefficients[:, :, None] * coefficients[:, None]).mean(0))


def spectrum(values: Tensor) -> NoiseSpectrum:
    """Channels without correlation that all have this power."""
    return NoiseSpectrum(torch.eye(3)[:, :, None, None] * values)


@pytest.fixture(scope="module")
def coarse() -> NoiseSpectrum:
    # Filters of taps (1, 2, 1): the variance is (1 + 4 + 1)^2, neighbours have the correlation (2 + 2) / 6.
    return measured(filtered(3 * 2000, [1.0, 2.0, 1.0]).view(2000, 3, SIZE, SIZE))


def test_the_mean_over_frequencies_is_the_covariance_at_a_pixel() -> None:
    mixing = torch.tensor([[2.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, -1.0, 3.0]])
    white = torch.randn(500, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    patches = torch.einsum("ij,njhw->nihw", mixing, white)
    # 512,000 values to a channel: standard errors of at most 0.3 % of a variance of 10.
    torch.testing.assert_close(measured(patches).covariance, mixing @ mixing.T, atol=0.06, rtol=0)


def test_correlation_between_neighbours(coarse: NoiseSpectrum) -> None:
    assert coarse.overall_std == pytest.approx(6.0, rel=0.01)
    # The patch's borders, mirrored by a cosine transform, take part in 1 of 32 pairs of neighbours.
    assert coarse.autocorrelation(0, 1) == pytest.approx(4 / 6, abs=0.02)
    assert coarse.autocorrelation(1, 1) == pytest.approx((4 / 6) ** 2, abs=0.02)
    assert coarse.autocorrelation(0, 3) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_what_survives_is_what_downsampled_noise_has(coarse: NoiseSpectrum, factor: int) -> None:
    field = filtered(12, [1.0, 2.0, 1.0], 320)
    # Two pixels of the result to either side see mirrored noise.
    inside = bicubic_downsample(field, factor)[:, 2:-2, 2:-2]
    assert coarse.surviving_std(factor) == pytest.approx(inside.std().item(), rel=0.04)


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 8, 16])
def test_white_noise_keeps_the_filter_s_squared_weights(factor: int) -> None:
    impulses = torch.eye(8 * factor)[:, None].expand(-1, factor, -1)
    weights = bicubic_downsample(impulses, factor)[:, 0, 4]
    kept = weights.square().sum().item()  # in both directions: of the standard deviation
    # The DCT's frequencies are 1/64 of a cycle apart; the filter for factor 16 passes 1/32.
    white = spectrum(torch.full((SIZE, SIZE), 0.04))
    assert white.surviving_std(factor) == pytest.approx(0.2 * kept, rel=0.01 if factor < 16 else 0.05)


def test_radial_power_is_flat_for_white_noise_and_names_the_ring_of_a_wave() -> None:
    torch.testing.assert_close(spectrum(torch.full((SIZE, SIZE), 4.0)).radial_power, torch.full((16,), 4.0))
    wave = torch.zeros(SIZE, SIZE)
    wave[0, 13] = 1.0
    ring = int(spectrum(wave).radial_power.argmax())
    assert RADII[ring] == pytest.approx(13 / (2 * SIZE), abs=1 / 64)


def test_an_estimate_below_zero_is_no_noise() -> None:
    negative = spectrum(torch.full((SIZE, SIZE), -1.0))
    assert negative.overall_std == 0
    assert negative.surviving_std(4) == 0
    assert negative.std.tolist() == [0, 0, 0]
    assert negative.correlation.isnan().all()
    assert math.isnan(negative.autocorrelation(0, 1))


def test_isotropic_it_has_the_same_variance_and_no_direction() -> None:
    factors = torch.randn(3, 9, 32, 32, generator=torch.Generator().manual_seed(0))
    spectrum = NoiseSpectrum(torch.einsum("ikuv,jkuv->ijuv", factors, factors))
    even = spectrum.isotropic
    assert torch.allclose(even.covariance, spectrum.covariance, rtol=1e-5)
    # 3, 4 and 5 half periods: hypot(3, 4) = 5.
    assert torch.equal(even.power[:, :, 3, 4], even.power[:, :, 0, 5])
    assert torch.allclose(even.isotropic.power, even.power, rtol=1e-6)
