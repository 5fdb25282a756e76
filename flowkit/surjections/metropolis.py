"""Metropolis steps as a layer of a stochastic flow."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from flowkit.counts import require_counts
from flowkit.distributions.distribution import normal_like
from flowkit.ops.precision import at_least_float32
from flowkit.surjections.stochastic_map import StochasticMap
from flowkit.surjections.target import log_density_at

__all__ = ["Metropolis"]


class Metropolis(StochasticMap):
    r"""Steps of Metropolis' random walk on a target density, as a layer of a stochastic normalizing flow.

    .. math:: y' = y + \sigma \epsilon, \quad \epsilon \sim N(0, I), \qquad
              \text{taken with the chance } \min\left(1, \frac{\pi(y')}{\pi(y)}\right)

    By detailed balance, the ratio of a path's probabilities there and back is that of the target at its ends, whatever
    lies between: :math:`V = \log \pi(x) - \log \pi(z)`. Either direction walks. Such layers between bijectors bring
    samples where a flow alone smears over, and the weights stay right.

    Args:
        log_density: :math:`\log \pi` up to a constant, from ``batch x event`` to the batch shape.
        steps: of the walk, at least 1.
        scale: :math:`\sigma`, > 0, in units of the data.
        event_dims: 1 for vectors, 3 for images.

    Raises:
        ValueError: an argument is outside its range, or (when called) ``log_density`` gives another shape.

    References:
        Wu, Köhler and Noé, "Stochastic normalizing flows", NeurIPS 2020, sec. 3 (Markov chain Monte Carlo).

    Examples:
        >>> layer = Metropolis(lambda x: -x.square().sum(-1) / 2, steps=3, scale=0.5)
        >>> x, contribution = layer.inverse(torch.rand(5, 2))
        >>> x.shape, contribution.shape
        (torch.Size([5, 2]), torch.Size([5]))
    """

    is_exact = False

    def __init__(
        self, log_density: Callable[[Tensor], Tensor], steps: int = 10, scale: float = 0.1, event_dims: int = 1
    ) -> None:
        super().__init__()
        if steps < 1 or not (scale > 0 and math.isfinite(scale)):
            raise ValueError(
                f"steps is {steps} and scale is {scale}; a walk needs a step, and a positive, finite scale"
            )
        self.log_density = log_density
        self.steps = steps
        self.scale = scale
        require_counts(1, event_dims=event_dims)
        self.event_dims = event_dims

    def forward(
        self, x: Tensor, context: Any = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Where the walk from the data ends, and the log-density at its start less that at its end."""
        end, gained = self._walk(x, generator)
        return end, -gained

    def inverse(
        self, z: Tensor, context: Any = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Where the walk from the latent ends, and the log-density at its start less that at its end."""
        end, gained = self._walk(z, generator)
        return end, -gained

    def _walk(self, start: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """The end, and how much higher the log-density is there."""
        y = at_least_float32(start)
        before = now = log_density_at(self.log_density, y, self.event_dims)
        for _ in range(self.steps):
            proposed = y + self.scale * normal_like(tuple(y.shape), y, generator)
            there = log_density_at(self.log_density, proposed, self.event_dims)
            chance = torch.rand(now.shape, dtype=y.dtype, device=y.device, generator=generator)
            taken = chance.log() < there - now
            y = torch.where(taken.view(*taken.shape, *[1] * self.event_dims), proposed, y)
            now = torch.where(taken, there, now)
        return y, now - before
