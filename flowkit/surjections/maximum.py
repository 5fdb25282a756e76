"""The maximum over groups."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Shape, sum_event
from flowkit.distributions.distribution import normal_like
from flowkit.ops.precision import at_least_float32
from flowkit.surjections.stochastic_map import StochasticMap

__all__ = ["Maximum"]


class Maximum(StochasticMap):
    r"""The maximum of each group of entries; generation draws which one it was, and how far the others are below.

    .. math:: z = \max_k x_k, \qquad
              V = -\log K + \sum_{j \ne k} \log \frac{2}{\sigma} \varphi\left(\frac{z - x_j}{\sigma}\right)

    for each group of ``K`` neighbours: which one is the maximum is uniform, and the differences are half-normal with a
    learned scale :math:`\sigma`, one for all. Its likelihoods are exact. The gradient goes to the maximum.

    Args:
        size: ``K``, entries of a group, at least 2.

    Raises:
        ValueError: ``size`` is under 2, or (when called) the entries are no multiple of it.

    References:
        Nielsen et al., "SurVAE flows", NeurIPS 2020, sec. 3.1 and appendix D (max pooling).

    Examples:
        >>> layer = Maximum(2)
        >>> z, _ = layer(torch.tensor([[1.0, 3.0, -2.0, -5.0]]))
        >>> z
        tensor([[ 3., -2.]])
        >>> layer(layer.inverse(z)[0].detach())[0]
        tensor([[ 3., -2.]])
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        if size < 2:
            raise ValueError(f"size is {size}; a maximum is over at least 2 entries")
        self.size = size
        self.log_scale = nn.Parameter(torch.zeros(()))

    def output_shape(self, shape: Shape) -> Shape:
        """As many entries as there are groups; ValueError where groups do not divide them."""
        if shape[-1] % self.size:
            raise ValueError(f"Maximum({self.size}) takes a multiple of {self.size} entries, got {shape[-1]}")
        return *shape[:-1], shape[-1] // self.size

    def forward(
        self, x: Tensor, context: Any = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """The maxima, and the log-density of the others."""
        self.output_shape(x.shape[-1:])
        groups = at_least_float32(x).unflatten(-1, (-1, self.size))
        z, which = groups.max(-1)
        below = z.unsqueeze(-1) - groups
        return z, self._log_prob(below, which)

    def inverse(
        self, z: Tensor, context: Any = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Groups with these maxima, and minus the log-density of the others."""
        z = at_least_float32(z)
        which = torch.randint(self.size, z.shape, device=z.device, generator=generator)
        below = at_least_float32(self.log_scale).exp() * normal_like((*z.shape, self.size), z, generator).abs()
        below = below.scatter(-1, which.unsqueeze(-1), 0.0)
        return (z.unsqueeze(-1) - below).flatten(-2), -self._log_prob(below, which)

    def _log_prob(self, below: Tensor, which: Tensor) -> Tensor:
        log_scale = at_least_float32(self.log_scale)
        half_normal = math.log(2 / math.pi) / 2 - log_scale - (below * (-log_scale).exp()).square() / 2
        others = half_normal.scatter(-1, which.unsqueeze(-1), 0.0).sum(-1)
        return sum_event(others - math.log(self.size), 1)
