"""Langevin steps as a layer of a stochastic flow."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import sum_event
from flowkit.bijectors.jacobian import value_and_pullback
from flowkit.counts import require_counts
from flowkit.distributions.distribution import normal_like
from flowkit.ops.precision import at_least_float32
from flowkit.surjections.stochastic_map import StochasticMap
from flowkit.surjections.target import log_density_at

__all__ = ["Langevin"]


class Langevin(StochasticMap):
    r"""Steps of overdamped Langevin dynamics on a target density, as a layer of a stochastic normalizing flow.

    .. math:: y' = y + h\, \nabla \log \pi(y) + \sqrt{2 h}\, \epsilon, \quad \epsilon \sim N(0, I)

    The steps are not corrected by a rejection: the layer's contribution is the ratio of the probabilities of the path
    back and of the path there, a difference of squares for each step, so that weights are right at any step size; which
    is learned.

    Args:
        log_density: :math:`\log \pi` up to a constant, differentiable, from ``batch x event`` to the batch shape; no
            sample sees another.
        steps: at least 1.
        step_size: ``h`` at the start, > 0, in units of the data squared.
        event_dims: 1 for vectors, 3 for images.

    Raises:
        ValueError: an argument is outside its range, or (when called) ``log_density`` gives another shape.

    References:
        Wu, Köhler and Noé, "Stochastic normalizing flows", NeurIPS 2020, sec. 3 (overdamped Langevin dynamics).

    Examples:
        >>> layer = Langevin(lambda x: -x.square().sum(-1) / 2, steps=3, step_size=0.1)
        >>> x, contribution = layer.inverse(torch.rand(5, 2))
        >>> x.shape, contribution.shape
        (torch.Size([5, 2]), torch.Size([5]))
    """

    is_exact = False

    def __init__(
        self, log_density: Callable[[Tensor], Tensor], steps: int = 1, step_size: float = 0.01, event_dims: int = 1
    ) -> None:
        super().__init__()
        if steps < 1 or not (step_size > 0 and math.isfinite(step_size)):
            raise ValueError(f"steps is {steps} and step_size is {step_size}; both are positive and finite")
        self.log_density = log_density
        self.steps = steps
        require_counts(1, event_dims=event_dims)
        self.event_dims = event_dims
        self.log_step_size = nn.Parameter(torch.tensor(step_size).log())

    def forward(
        self, x: Tensor, context: Any = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Where the path from the data ends, and the log-ratio of its probability back and there."""
        return self._path(x, generator)

    def inverse(
        self, z: Tensor, context: Any = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Where the path from the latent ends, and the log-ratio of its probability back and there."""
        return self._path(z, generator)

    def _path(self, start: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        # Both directions move alike, and each one's contribution is what the other's kernel says of the way back, less
        # what its own says of the way there.
        y = at_least_float32(start)
        step = at_least_float32(self.log_step_size).exp()
        score = self._score(y)
        total = y.new_zeros(y.shape[: y.ndim - self.event_dims])
        for _ in range(self.steps):
            noise = normal_like(tuple(y.shape), y, generator)
            after = y + step * score + (2 * step).sqrt() * noise
            score = self._score(after)
            noise_back = (y - after - step * score) / (2 * step).sqrt()
            total = total + sum_event(noise.square() - noise_back.square(), self.event_dims) / 2
            y = after
        return y, total

    def _score(self, y: Tensor) -> Tensor:
        value, pullback = value_and_pullback(partial(log_density_at, self.log_density, event_dims=self.event_dims), y)
        return pullback(torch.ones_like(value))
