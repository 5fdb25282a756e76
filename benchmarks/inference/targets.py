"""Densities to sample from, each the image of a standard normal under a map that is known both ways.

So the density is normalised, exact samples are at hand, and whether a sample is right is seen in one place: taken back
by the map, it has to be standard normal.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["BANANA", "FUNNEL", "TARGETS", "Target"]


@dataclass(frozen=True)
class Target:
    """A density over vectors."""

    name: str
    description: str
    features: int
    to_normal: Callable[[Tensor], tuple[Tensor, Tensor]]
    """``batch x features`` to standard normal numbers of that shape, and the map's log-determinants, ``batch``."""
    from_normal: Callable[[Tensor], Tensor]
    """The inverse, without its log-determinants."""

    def log_density(self, x: Tensor) -> Tensor:
        """In nats, normalised: ``batch x features`` to ``batch``."""
        u, log_det = self.to_normal(x)
        return log_det - 0.5 * (u.square() + math.log(2 * math.pi)).sum(-1)

    def sample(self, number: int, generator: torch.Generator) -> Tensor:
        """Exact samples, ``number x features``."""
        return self.from_normal(torch.randn(number, self.features, generator=generator))


FUNNEL_DEVIATION = 3.0
"""Of the logarithm of the variance that the other features share."""


def _funnel_to_normal(x: Tensor) -> tuple[Tensor, Tensor]:
    neck, others = x[..., :1], x[..., 1:]
    u = torch.cat([neck / FUNNEL_DEVIATION, others * (-neck / 2).exp()], -1)
    return u, -math.log(FUNNEL_DEVIATION) - others.shape[-1] / 2 * neck[..., 0]


def _funnel_from_normal(u: Tensor) -> Tensor:
    neck = FUNNEL_DEVIATION * u[..., :1]
    return torch.cat([neck, u[..., 1:] * (neck / 2).exp()], -1)


FUNNEL = Target(
    "funnel",
    "Neal's funnel in 10 dimensions: v ~ N(0, 3²), and nine x ~ N(0, exp v)",
    10,
    _funnel_to_normal,
    _funnel_from_normal,
)
"""Neal, "Slice sampling", Annals of Statistics, 2003, sec. 8."""

BANANA_DEVIATION, CURVATURE = 10.0, 0.03


def _bend(first: Tensor) -> Tensor:
    """What is added to the second feature; 0 in the mean."""
    return CURVATURE * (first.square() - BANANA_DEVIATION**2)


def _banana_to_normal(x: Tensor) -> tuple[Tensor, Tensor]:
    first, second = x.unbind(-1)
    u = torch.stack([first / BANANA_DEVIATION, second - _bend(first)], -1)
    return u, torch.full_like(first, -math.log(BANANA_DEVIATION))


def _banana_from_normal(u: Tensor) -> Tensor:
    first = BANANA_DEVIATION * u[..., 0]
    return torch.stack([first, u[..., 1] + _bend(first)], -1)


BANANA = Target(
    "banana",
    "the banana in the plane: x ~ N(0, 10²), y ~ N(0.03 (x² - 100), 1)",
    2,
    _banana_to_normal,
    _banana_from_normal,
)
"""Haario, Saksman and Tamminen, "Adaptive proposal distribution for random walk Metropolis", 1999, sec. 4."""

TARGETS = {target.name: target for target in (FUNNEL, BANANA)}
"""By name."""
