r"""Two moons: a posterior of two crescents, whatever the data.

.. math:: x = (r \cos\alpha + 0.25,\; r \sin\alpha) +
              \left(-\tfrac{|\theta_1 + \theta_2|}{\sqrt 2},\; \tfrac{-\theta_1 + \theta_2}{\sqrt 2}\right),
          \qquad \alpha \sim U(-\tfrac\pi2, \tfrac\pi2), \quad r \sim N(0.1, 0.01^2), \quad \theta \sim U(-1, 1)^2

Lueckmann, Boelts, Greenberg, Gonçalves and Macke, "Benchmarking simulation-based inference", AISTATS 2021, T.8.

Let s = (theta_1 + theta_2) / sqrt 2 and d = (theta_2 - theta_1) / sqrt 2, which is a rotation. Of data x and the point
p of the crescent that they were made with, abs(s) = p_1 - x_1 and d = x_2 - p_2. So the posterior is drawn exactly: p
from its own distribution, the sign of s at random, and all again where p_1 < x_1 or theta is outside the square.
"""

import math

import torch
from torch import Tensor

from benchmarks.inference.rejection import accepted
from benchmarks.inference.simulator import Simulator

__all__ = ["TWO_MOONS"]

BOUND = 1.0


def _crescent(number: int, generator: torch.Generator) -> Tensor:
    angle = math.pi * (torch.rand(number, generator=generator, dtype=torch.float64) - 0.5)
    radius = 0.1 + 0.01 * torch.randn(number, generator=generator, dtype=torch.float64)
    return torch.stack([radius * angle.cos() + 0.25, radius * angle.sin()], -1)


def _simulate(theta: Tensor, generator: torch.Generator) -> Tensor:
    first, second = theta.unbind(-1)
    shift = torch.stack([-(first + second).abs(), second - first], -1) / math.sqrt(2)
    return _crescent(len(theta), generator) + shift


def _posterior(x: Tensor, number: int, generator: torch.Generator) -> Tensor:
    def propose(proposals: int) -> Tensor:
        point = _crescent(proposals, generator)
        size, difference = point[:, 0] - x[0], x[1] - point[:, 1]
        sign = 2.0 * torch.randint(2, (proposals,), generator=generator) - 1
        theta = torch.stack([sign * size - difference, sign * size + difference], -1) / math.sqrt(2)
        return theta[(size >= 0) & (theta.abs() <= BOUND).all(-1)]

    return accepted(propose, number, at_once=10 * number)


TWO_MOONS = Simulator(
    "two moons", "two parameters, two numbers; a posterior of two crescents", 2, 2, BOUND, _simulate, _posterior
)
