"""Gaussians over channels, the same at every position."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Shape
from flowkit.distributions.channels import ChannelDistribution, event_shape
from flowkit.distributions.distribution import normal_like
from flowkit.ops.precision import at_least_float32, without_autocast

__all__ = ["Gaussian", "gaussian_log_prob"]


class Gaussian(ChannelDistribution):
    r"""A Gaussian with full covariance over the channels, its parameters shared by all positions.

    .. math:: \log p(z) = \sum_{hw} \log \mathcal N(z_{hw};\ \mu,\ L L^\top)

    ``L`` is lower triangular with the exponential of a parameter on its diagonal, so the covariance is positive
    definite whatever the parameters are. Starts as the standard normal.

    Args:
        channels: size of the channel dimension, the first event dimension.
        event_dims: 3 for images, 1 for vectors.

    References:
        C. M. Bishop, "Pattern Recognition and Machine Learning", Springer 2006, sec. 2.3.

    Examples:
        >>> base = Gaussian(4)
        >>> base.log_prob(torch.zeros(2, 4, 1, 1)).detach()
        tensor([-3.6758, -3.6758])
    """

    def __init__(self, channels: int, event_dims: int = 3) -> None:
        super().__init__(channels, event_dims)
        self.mean = nn.Parameter(torch.zeros(channels))
        self.log_diagonal = nn.Parameter(torch.zeros(channels))
        # Only the strict lower triangle is read.
        self.lower = nn.Parameter(torch.zeros(channels, channels))

    @property
    def cholesky(self) -> Tensor:
        """The lower triangular factor ``L`` of the covariance, channels x channels, in float32 at least."""
        return at_least_float32(self.lower).tril(-1) + torch.diag(at_least_float32(self.log_diagonal).exp())

    def _log_prob(self, z: Tensor, label: Any) -> Tensor:
        """Log-density of ``batch x channels x ...``, one number per sample."""
        self._check(event_shape(z, self.event_dims, self))
        return gaussian_log_prob(z, self.mean, self.cholesky, self.event_dims)

    def _sample(
        self, batch: int, shape: Shape, label: Any, temperature: float, generator: torch.Generator | None
    ) -> Tensor:
        """A tensor ``batch x shape``; ``shape[0]`` is the number of channels."""
        self._check(tuple(shape))
        noise = normal_like((batch, self.channels, math.prod(shape[1:])), self.mean, generator)
        with without_autocast(noise.device):
            cholesky = self.cholesky
            z = self.mean[:, None] + temperature * (cholesky @ noise.to(cholesky.dtype))
        return z.to(noise.dtype).reshape(batch, *shape)


def gaussian_log_prob(z: Tensor, mean: Tensor, cholesky: Tensor, event_dims: int = 3) -> Tensor:
    r"""Log-density of :math:`\mathcal N(\mu, L L^\top)` over the channels, summed over positions, by Cholesky factor.

    Args:
        z: ``batch x channels x ...``, the channels being the first of the last ``event_dims`` dimensions.
        mean: ``channels``, or anything that broadcasts to ``batch x channels``.
        cholesky: ``channels x channels``, lower triangular with positive diagonal.
        event_dims: trailing dimensions of one event.

    Returns:
        One number per sample, at least float32.

    References:
        C. M. Bishop, "Pattern Recognition and Machine Learning", Springer 2006, sec. 2.3.

    Examples:
        >>> gaussian_log_prob(torch.zeros(1, 2), torch.zeros(2), 2 * torch.eye(2), event_dims=1)
        tensor([-3.2242])
    """
    dtype = torch.promote_types(z.dtype, torch.float32)
    channel_dim = z.ndim - event_dims
    with without_autocast(z.device):
        columns = z.to(dtype).flatten(channel_dim + 1) if event_dims > 1 else z.to(dtype)[..., None]
        cholesky = cholesky.to(dtype)
        white = torch.linalg.solve_triangular(cholesky, columns - mean.to(dtype)[..., None], upper=False)
        channels, positions = columns.shape[-2:]
        normaliser = positions * (cholesky.diagonal().log().sum() + 0.5 * channels * math.log(2 * math.pi))
        return -0.5 * white.square().sum((-2, -1)) - normaliser
