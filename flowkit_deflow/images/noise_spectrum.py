"""The second moments of stationary noise, as the covariance of the colour channels at each spatial frequency."""

import math
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit_deflow.images.resize import bicubic_downsample

__all__ = ["RADII", "NoiseSpectrum", "cosine_basis"]

RINGS = 16
RADII: tuple[float, ...] = tuple((ring + 0.5) / (2 * RINGS) for ring in range(RINGS))
"""The middles of the rings of `NoiseSpectrum.radial_power`, in cycles per pixel."""


def cosine_basis(size: int, rows: int | None = None) -> Tensor:
    r"""The orthonormal discrete cosine transform (DCT-II) of ``size`` numbers, as a matrix.

    .. math:: D_{un} = \sqrt{\frac{2 - \delta_{u0}}{B}}\, \cos \frac{\pi u (n + 1/2)}{B}

    Args:
        size: The length B of what is transformed.
        rows: How many of the lowest frequencies u; None for all B.

    Returns:
        A float32 tensor rows x size; row u is a wave of u / (2 B) cycles per pixel.

    Examples:
        >>> basis = cosine_basis(4)
        >>> torch.allclose(basis @ basis.T, torch.eye(4), atol=1e-6)
        True
    """
    position = torch.arange(size, dtype=torch.float64) + 0.5
    frequency = torch.arange(size if rows is None else rows, dtype=torch.float64)
    basis = torch.cos(math.pi * frequency[:, None] * position / size) * math.sqrt(2 / size)
    basis[0] /= math.sqrt(2)
    return basis.float()


@dataclass(frozen=True, eq=False)
class NoiseSpectrum:
    r"""Covariances of the channels' cosine coefficients in B x B patches: all second moments of stationary noise.

    With :math:`c_i(u, v)` the orthonormal two-dimensional DCT of channel :math:`i` of a patch,
    :math:`S_{ij}(u, v) = E[c_i(u, v)\, c_j(u, v)]`. The mean over all :math:`(u, v)` is the covariance of the
    channels at a pixel. Moments that need frequencies between those of the DCT take noise to be stationary and alike
    in both senses of a diagonal.

    Attributes:
        power: S, 3 x 3 x B x B, for images with values in [0, 1]. It may be negative on its diagonal, as an estimate
            of faint noise that is a difference of two measurements.

    Examples:
        >>> white = NoiseSpectrum(0.01 * torch.eye(3)[:, :, None, None].expand(3, 3, 32, 32))
        >>> round(white.overall_std, 6), round(white.surviving_std(4), 4)
        (0.1, 0.0204)
    """

    power: Tensor

    def __sub__(self, other: Self) -> "NoiseSpectrum":
        """The spectrum of what comes on top of an independent part."""
        return NoiseSpectrum(self.power - other.power)

    @property
    def covariance(self) -> Tensor:
        """Covariance of the channels at a pixel, 3 x 3."""
        return self.power.mean((2, 3))

    @property
    def std(self) -> Tensor:
        """Standard deviation of each channel, in [0, 1] units; 0 where the variance was estimated below 0."""
        return self.covariance.diagonal().clamp_min(0).sqrt()

    @property
    def overall_std(self) -> float:
        """Square root of the mean over the channels of the variance, in [0, 1] units."""
        return _root(self.channel_mean.mean())

    @property
    def correlation(self) -> Tensor:
        """Correlation of the channels at a pixel, 3 x 3; NaN for a channel without noise."""
        return self.covariance / torch.outer(self.std, self.std).where(self.std.outer(self.std) > 0, math.nan)

    @property
    def channel_mean(self) -> Tensor:
        """Mean over the channels of their power at each frequency, B x B."""
        return self.power.diagonal().mean(-1)

    @property
    def eigen(self) -> tuple[Tensor, Tensor]:
        """Eigenvalues and eigenvectors of S at each frequency, ``B x B x 3`` and ``B x B x 3 x 3``, in float64."""
        values, vectors = torch.linalg.eigh(self.power.double().permute(2, 3, 0, 1))
        return values, vectors

    @property
    def positive_part(self) -> "NoiseSpectrum":
        """S without its negative eigenvalues, which noise does not have."""
        values, vectors = self.eigen
        return self._with_eigen(values.clamp_min(0), vectors)

    @property
    def isotropic(self) -> "NoiseSpectrum":
        """The same in all directions: at each frequency the mean over those that are as high."""
        ring = (self._radius * 2 * self.power.shape[-1]).round().long().flatten()
        power = self.power.flatten(2)
        sums = power.new_zeros(*power.shape[:2], int(ring.max()) + 1).index_add(2, ring, power)
        return NoiseSpectrum((sums / ring.bincount())[..., ring].view_as(self.power))

    @property
    def root(self) -> Tensor:
        """The symmetric root of S at each frequency, 3 x 3 x B x B; negative eigenvalues are taken for 0."""
        values, vectors = self.eigen
        return self._with_eigen(values.clamp_min(0).sqrt(), vectors).power

    def _with_eigen(self, values: Tensor, vectors: Tensor) -> "NoiseSpectrum":
        power = (vectors * values[..., None, :]) @ vectors.mT
        return NoiseSpectrum(power.to(self.power.dtype).permute(2, 3, 0, 1))

    def surviving_std(self, factor: int) -> float:
        r"""Standard deviation of the noise in images downsampled by a factor, in [0, 1] units.

        :math:`\sqrt{\mathrm{mean}_{uv}\, |W(u)|^2 |W(v)|^2 S(u, v)}` for the frequency response W of
        `flowkit_deflow.images.resize.bicubic_downsample`, with S the mean over the channels: what taking every
        ``factor``-th pixel folds over is in it.

        Args:
            factor: The factor, at least 1.
        """
        gain = _downsampling_gain(self._waves, factor)
        variance = self._integral(torch.ones_like(gain), torch.ones_like(gain))
        return self.overall_std * _root(self._integral(gain, gain) / variance) if variance > 0 else 0.0

    def autocorrelation(self, rows: int, columns: int) -> float:
        """Correlation between pixels so many rows and columns apart; NaN without noise."""
        variance = self._integral(torch.ones_like(self._waves), torch.ones_like(self._waves)).item()
        covariance = self._integral(torch.cos(self._waves * rows), torch.cos(self._waves * columns)).item()
        return covariance / variance if variance > 0 else math.nan

    @property
    def radial_power(self) -> Tensor:
        """Mean over the channels and each ring of frequencies, at `RADII`: shape (16,), in squared [0, 1] units.

        White noise is flat at its variance.
        """
        radius = self._radius
        inside = radius < 0.5
        rings = (radius[inside] * 2 * RINGS).long()
        sums = torch.bincount(rings, self.channel_mean[inside], RINGS)
        return sums / torch.bincount(rings, minlength=RINGS)

    @property
    def _radius(self) -> Tensor:
        """The frequency of each coefficient in any direction, in cycles per pixel, B x B."""
        size = self.power.shape[-1]
        frequency = torch.arange(size) / (2 * size)
        return torch.hypot(frequency[:, None], frequency[None])

    @property
    def _waves(self) -> Tensor:
        """The frequencies of the DCT and the highest there is, in radians per pixel; shape (B + 1,)."""
        size = self.power.shape[-1]
        return math.pi * torch.arange(size + 1) / size

    def _integral(self, of_rows: Tensor, of_columns: Tensor) -> Tensor:
        """Mean over all frequencies of the power times a function of both, by the trapezoidal rule.

        The cosines' mirrored borders give coarse noise more power at frequency 0 and less at all others: of integrals,
        ratios to that of 1 are right.
        """
        power = F.pad(self.channel_mean[None], (0, 1, 0, 1), mode="replicate")[0]
        weights = torch.full_like(self._waves, 1 / (len(self._waves) - 1))
        weights[[0, -1]] /= 2
        return (weights * of_rows) @ power @ (weights * of_columns)


def _downsampling_gain(waves: Tensor, factor: int) -> Tensor:
    """|W|^2 of the antialiased bicubic filter of a factor at some frequencies, in radians per pixel."""
    # The filter's weights are what an impulse at each of the pixels under an output gives.
    reach = 4 * factor
    impulses = torch.eye(2 * reach, dtype=torch.float64)[:, None].expand(-1, factor, -1)
    weights = bicubic_downsample(impulses, factor)[:, 0, reach // factor]
    offset = torch.arange(2 * reach, dtype=torch.float64) - reach - (factor - 1) / 2
    response = (weights * torch.cos(waves.double()[:, None] * offset)).sum(1)
    return response.square().float()


def _root(variance: Tensor) -> float:
    return math.sqrt(max(variance.item(), 0.0))
