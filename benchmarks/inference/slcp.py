r"""SLCP: a simple likelihood, a complex posterior of four modes.

Four points in the plane are drawn from a normal distribution of which five parameters tell mean and covariance.

.. math:: x = (x_1, \dots, x_4), \quad x_i \sim N(m, S), \quad m = (\theta_1, \theta_2), \quad
          S = \begin{pmatrix} s_1^2 & \rho s_1 s_2 \\ \rho s_1 s_2 & s_2^2 \end{pmatrix}, \quad
          s_1 = \theta_3^2, \; s_2 = \theta_4^2, \; \rho = \tanh \theta_5, \qquad \theta \sim U(-3, 3)^5

Papamakarios, Sterratt and Murray, "Sequential neural likelihood", AISTATS 2019, sec. A.1; Lueckmann et al. 2021, T.3.

The posterior is drawn exactly. Given S, that of m is normal about the mean of the points with covariance S / 4, cut off
at the cube. Without the cube, m can be integrated out, which leaves, with A the points' scatter about their mean,

.. math:: g(\theta_3, \theta_4, \theta_5) \propto |S|^{-3/2} e^{-\mathrm{tr}(S^{-1} A) / 2}

whose largest value over all S is known: it is at S = A / 3. So theta_3 to theta_5 come from the prior and are kept in
proportion to g over that value, m follows, and all is begun again where m is outside the cube.
"""

import math

import torch
from torch import Tensor

from benchmarks.inference.rejection import accepted
from benchmarks.inference.simulator import Simulator

__all__ = ["SLCP", "log_likelihood"]

BOUND, POINTS = 3.0, 4

Shape = tuple[Tensor, Tensor, Tensor]
"""Two standard deviations and the correlation."""


def _shape(theta: Tensor) -> Shape:
    """From the last three parameters."""
    return theta[:, 0].square(), theta[:, 1].square(), theta[:, 2].tanh()


def _normal(mean: Tensor, shape: Shape, noise: Tensor) -> Tensor:
    """Standard normal pairs, ``batch x 2``, as those of a mean and a covariance."""
    first, second, correlation = shape
    other = correlation * noise[:, 0] + (1 - correlation.square()).sqrt() * noise[:, 1]
    return mean + torch.stack([first * noise[:, 0], second * other], -1)


def _simulate(theta: Tensor, generator: torch.Generator) -> Tensor:
    shape = _shape(theta[:, 2:])
    noise = torch.randn(POINTS, len(theta), 2, generator=generator, dtype=theta.dtype)
    return torch.cat([_normal(theta[:, :2], shape, each) for each in noise], -1)


def _log_determinant(shape: Shape) -> Tensor:
    first, second, correlation = shape
    return 2 * (first * second).log() + torch.log1p(-correlation.square())


def _squared_distance(shape: Shape, xx: Tensor, xy: Tensor, yy: Tensor) -> Tensor:
    """The trace of S⁻¹ times a matrix that sums up pairs: of their squares and products."""
    first, second, correlation = shape
    unscaled = xx / first.square() - 2 * correlation * xy / (first * second) + yy / second.square()
    return unscaled / (1 - correlation.square())


def log_likelihood(theta: Tensor, x: Tensor) -> Tensor:
    """Of one data vector, in nats: ``batch x 5`` to ``batch``."""
    shape = _shape(theta[:, 2:])
    across, up = (x.reshape(POINTS, 2) - theta[:, None, :2]).unbind(-1)
    squares = _squared_distance(shape, across.square().sum(-1), (across * up).sum(-1), up.square().sum(-1))
    return -0.5 * (squares + POINTS * (_log_determinant(shape) + 2 * math.log(2 * math.pi)))


def _posterior(x: Tensor, number: int, generator: torch.Generator) -> Tensor:
    points = x.reshape(POINTS, 2).double()
    centre = points.mean(0)
    scatter = (points - centre).T @ (points - centre)
    freedom = POINTS - 1
    largest = -freedom / 2 * torch.logdet(scatter / freedom) - freedom

    def propose(proposals: int) -> Tensor:
        rest = BOUND * (2 * torch.rand(proposals, 3, generator=generator, dtype=torch.float64) - 1)
        shape = _shape(rest)
        distance = _squared_distance(shape, scatter[0, 0], scatter[0, 1], scatter[1, 1])
        log_density = -0.5 * (freedom * _log_determinant(shape) + distance)
        chance = torch.rand(proposals, generator=generator, dtype=torch.float64)
        rest = rest[chance.log() < log_density - largest]
        deviations = torch.randn(len(rest), 2, generator=generator, dtype=torch.float64) / math.sqrt(POINTS)
        theta = torch.cat([_normal(centre, _shape(rest), deviations), rest], -1)
        return theta[(theta.abs() <= BOUND).all(-1)]

    return accepted(propose, number, at_once=1_000_000)


SLCP = Simulator("slcp", "five parameters, four points in the plane; four modes", 5, 8, BOUND, _simulate, _posterior)
