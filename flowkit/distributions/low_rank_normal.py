"""A normal whose covariance is a diagonal plus a matrix of low rank."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Shape
from flowkit.distributions.channels import ChannelDistribution, event_shape
from flowkit.distributions.distribution import normal_like
from flowkit.ops.precision import without_autocast

__all__ = ["LowRankNormal"]

# At a factor of zero its gradient vanishes, and it would never leave: it starts with entries of about this size.
START = 1e-2


class LowRankNormal(ChannelDistribution):
    r"""A normal over the channels with a covariance of low rank plus a diagonal, shared by all positions.

    .. math:: \log p(z) = \sum_{hw} \log \mathcal N(z_{hw};\ \mu,\ D + F F^\top), \qquad D = \mathrm{diag}(e^{2s})

    The density needs only the Cholesky factor of the ``rank x rank`` capacitance :math:`K = I + F^\top D^{-1} F`
    (Woodbury's identity and the matrix determinant lemma):

    .. math:: \log\det(D + F F^\top) = \log\det D + \log\det K, \qquad
              d^\top (D + F F^\top)^{-1} d = \lVert D^{-1/2}(d - F u)\rVert^2 + \lVert u\rVert^2,

    with :math:`d = z - \mu` and :math:`u = K^{-1} F^\top D^{-1} d`: a sum of squares, where the textbook's difference
    of two terms would cancel. Cost ``O(channels * rank)`` per position. Starts close to the standard normal: ``F``
    has random entries of deviation 0.01, since at exactly zero no gradient would ever move it. Samples
    :math:`\mu + F\varepsilon + D^{1/2}\varepsilon'` are reparametrised.

    Args:
        channels: size of the channel dimension, the first event dimension, >= 1.
        rank: columns of ``F``, from 1 to ``channels``.
        event_dims: 3 for images ``C x H x W``, 1 for vectors.

    Raises:
        ValueError: ``rank`` is not from 1 to ``channels``, ``channels`` or ``event_dims`` is under 1, or (when
            called) the latents have another number of channels.

    References:
        Woodbury, "Inverting modified matrices", 1950.

    Examples:
        >>> base = LowRankNormal(3, rank=1)
        >>> base.log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
        >>> base.sample(5, (3,)).shape
        torch.Size([5, 3])
    """

    def __init__(self, channels: int, rank: int, event_dims: int = 1) -> None:
        super().__init__(channels, event_dims)
        if not 1 <= rank <= channels:
            raise ValueError(f"rank is {rank}; LowRankNormal({channels}) needs 1 to {channels}")
        self.rank = rank
        self.mean = nn.Parameter(torch.zeros(channels))
        self.log_std = nn.Parameter(torch.zeros(channels))
        self.factor = nn.Parameter(START * torch.randn(channels, rank))

    def _log_prob(self, z: Tensor, label: Any) -> Tensor:
        """Log-density of ``batch x channels x ...``, one number per sample."""
        self._check(event_shape(z, self.event_dims, self))
        dtype = torch.promote_types(z.dtype, torch.float32)
        with without_autocast(z.device):
            mean, log_std, factor = (p.to(dtype) for p in (self.mean, self.log_std, self.factor))
            deviation = z.to(dtype) - self._along_event(mean)
            columns = deviation.flatten(-self.event_dims + 1) if self.event_dims > 1 else deviation[..., None]
            inverse_std = (-log_std).exp()[:, None]
            white, scaled = columns * inverse_std, factor * inverse_std
            capacitance = torch.eye(self.rank, dtype=dtype, device=z.device) + scaled.T @ scaled
            cholesky = torch.linalg.cholesky(capacitance)
            projected = torch.linalg.solve_triangular(cholesky, scaled.T @ white, upper=False)
            common = torch.linalg.solve_triangular(cholesky.T, projected, upper=True)
            distance = (white - scaled @ common).square().sum((-2, -1)) + common.square().sum((-2, -1))
            log_std_sum = log_std.sum() + cholesky.diagonal().log().sum()
            normaliser = columns.shape[-1] * (log_std_sum + 0.5 * self.channels * math.log(2 * math.pi))
            return -0.5 * distance - normaliser

    def _sample(
        self, batch: int, shape: Shape, label: Any, temperature: float, generator: torch.Generator | None
    ) -> Tensor:
        """A tensor ``batch x shape``; ``shape[0]`` is the number of channels."""
        self._check(shape)
        positions = math.prod(shape[1:])
        common = normal_like((batch, self.rank, positions), self.mean, generator)
        own = normal_like((batch, self.channels, positions), self.mean, generator)
        with without_autocast(own.device):
            deviation = self.factor @ common + self.log_std.exp()[:, None] * own
            return (self.mean[:, None] + temperature * deviation).reshape(batch, *shape)
