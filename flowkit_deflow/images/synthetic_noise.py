"""Gaussian noise like the one that was measured at flat places."""

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit_deflow.images.flat_patches import BRIGHTNESS_EDGES, FlatPatchNoise
from flowkit_deflow.images.noise_spectrum import NoiseSpectrum

__all__ = ["add_noise_like", "gaussian_field"]


def gaussian_field(spectrum: NoiseSpectrum, height: int, width: int, generator: torch.Generator) -> Tensor:
    r"""A field of stationary Gaussian noise of a spectrum, periodic in both directions.

    White noise is given the symmetric root of :math:`S(|k|)` at each frequency k of its Fourier transform, bilinearly
    interpolated between the frequencies of S, its negative eigenvalues taken for 0.

    Args:
        spectrum: S.
        height: rows.
        width: columns.
        generator: of the white noise.

    Returns:
        3 x height x width, with the spectrum's covariance of the channels.

    Examples:
        >>> white = NoiseSpectrum(0.01 * torch.eye(3)[:, :, None, None].expand(3, 3, 32, 32))
        >>> field = gaussian_field(white, 64, 96, torch.Generator().manual_seed(0))
        >>> field.shape, bool((field.std() - 0.1).abs() < 0.003)
        (torch.Size([3, 64, 96]), True)
    """
    # The frequencies of the DCT and of the Fourier transform, as positions from -1 (0) to 1 (the DCT's highest).
    size = spectrum.power.shape[-1]
    rows, columns = (torch.fft.fftfreq(side).abs() * 2 * size / (size - 1) * 2 - 1 for side in (height, width))
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)[None]
    at = spectrum.root.reshape(1, 9, size, size)
    gains = F.grid_sample(at, grid, align_corners=True, padding_mode="border").view(3, 3, height, width)
    white = torch.fft.fft2(torch.randn(3, height, width, generator=generator))
    return torch.fft.ifft2(torch.einsum("ijhw,jhw->ihw", gains.to(white.dtype), white)).real


def add_noise_like(noise: FlatPatchNoise, image: Tensor, generator: torch.Generator) -> Tensor:
    """An image with Gaussian noise of the measured spectrum, as strong at each brightness as was measured there.

    Between the middles of the bins the strength is interpolated; where none was measured it is that of the nearest bin.

    Args:
        noise: what was measured.
        image: 3 x H x W, in [0, 1].
        generator: of the noise.

    Returns:
        3 x H x W, clipped to [0, 1].
    """
    height, width = image.shape[1:]
    field = gaussian_field(noise.spectrum, height, width, generator)
    measured = ~noise.brightness_std.isnan()
    if noise.spectrum.overall_std > 0 and measured.any():
        edges = torch.tensor(BRIGHTNESS_EDGES)
        middles = ((edges[1:] + edges[:-1]) / 2)[measured]
        strength = _interpolated(image.mean(0), middles, noise.brightness_std[measured])
        field = field * strength / noise.spectrum.overall_std
    return (image + field).clamp(0, 1)


def _interpolated(at: Tensor, positions: Tensor, values: Tensor) -> Tensor:
    """Piecewise linear through the values at rising positions, constant outside of them."""
    if len(positions) == 1:
        return values.expand_as(at)
    right = torch.bucketize(at.contiguous(), positions).clamp(1, len(positions) - 1)
    left = right - 1
    weight = ((at - positions[left]) / (positions[right] - positions[left])).clamp(0, 1)
    return values[left] + weight * (values[right] - values[left])
