"""Eight densities in the plane: exact samples, and the exact log-density of every one of them.

Each is about as large as a standard normal, so that no model has to learn a scale first. Because the true density p is
known, the held-out log-likelihood of a model q has a bound that is known on the same points: the mean of log p, and
the gap to it is an estimate of KL(p || q), which is zero for a perfect model.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

__all__ = ["TOYS", "Array", "Toy"]

Array = npt.NDArray[np.float64]

NODES = 1500
"""Points that stand for a curve in a density: neighbours are closer than half the noise about it."""


@dataclass(frozen=True)
class Toy:
    """A density in the plane."""

    name: str
    description: str
    sample: Callable[[int, np.random.Generator], Array]
    """``(number, generator)`` to ``number x 2``."""
    log_density: Callable[[Array], Array]
    """``N x 2`` to ``N``, in nats; minus infinity outside the support."""


def mixture(name: str, description: str, centres: Array, noise: float) -> Toy:
    """Equally likely round Gaussians of deviation ``noise`` about ``centres``, ``K x 2``."""

    def sample(number: int, generator: np.random.Generator) -> Array:
        return centres[generator.integers(len(centres), size=number)] + noise * generator.standard_normal((number, 2))

    return Toy(name, description, sample, lambda x: _log_mixture(x, centres, noise))


def curve(name: str, description: str, points: Callable[[Array], Array], noise: float) -> Toy:
    """Gaussian noise about a curve: ``points`` takes ``N`` numbers uniform in [0, 1] to ``N x 2``.

    Its density is the integral of the noise's over the curve, here by the midpoint rule.
    """
    nodes = points((np.arange(NODES) + 0.5) / NODES)

    def sample(number: int, generator: np.random.Generator) -> Array:
        return points(generator.random(number)) + noise * generator.standard_normal((number, 2))

    return Toy(name, description, sample, lambda x: _log_mixture(x, nodes, noise))


def _log_mixture(x: Array, centres: Array, noise: float) -> Array:
    scale = -0.5 / noise**2
    constant = -math.log(len(centres) * 2 * math.pi * noise**2)
    parts = np.array_split(x, len(x) // 1000 + 1)
    return np.concatenate(
        [logsumexp(scale * ((part[:, None] - centres) ** 2).sum(-1), axis=1) + constant for part in parts]
    )


def _log_normal(x: Array, mean: Array | float, deviation: float) -> Array:
    return -0.5 * ((x - mean) / deviation) ** 2 - math.log(deviation * math.sqrt(2 * math.pi))


def _moons(u: Array) -> Array:
    # As in the spirals: the first half of the numbers makes one of the two, which are each other's image in the centre.
    angle = 2 * np.pi * u % np.pi
    upper = np.stack([np.cos(angle) - 0.5, np.sin(angle) - 0.25], axis=1)
    return 1.3 * np.where(u[:, None] < 0.5, upper, -upper)


def _spirals(u: Array) -> Array:
    arm = np.where(u < 0.5, 1.0, -1.0)
    turn = 3 * np.pi * np.sqrt(2 * u % 1)
    return (arm * turn / 4.5)[:, None] * np.stack([-np.cos(turn), np.sin(turn)], axis=1)


def _swiss_roll(u: Array) -> Array:
    turn = 1.5 * np.pi * (1 + 2 * u)
    return (turn / 7)[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)


def _checkerboard() -> Toy:
    cells = np.array([(i, j) for i in range(-2, 2) for j in range(-2, 2) if (i + j) % 2 == 0], dtype=float)

    def sample(number: int, generator: np.random.Generator) -> Array:
        return cells[generator.integers(len(cells), size=number)] + generator.random((number, 2))

    def log_density(x: Array) -> Array:
        inside = (np.abs(x) < 2).all(axis=1) & (np.floor(x).sum(axis=1) % 2 == 0)
        return np.where(inside, -math.log(len(cells)), -np.inf)

    return Toy("checkerboard", "uniform on the 8 black squares, of side 1, of a 4 x 4 board", sample, log_density)


def _cosine() -> Toy:
    def wave(first: Array) -> Array:
        return 1.5 * np.cos(2.5 * first)

    def sample(number: int, generator: np.random.Generator) -> Array:
        first, noise = generator.standard_normal((2, number))
        return np.stack([first, wave(first) + 0.25 * noise], axis=1)

    def log_density(x: Array) -> Array:
        return _log_normal(x[:, 0], 0.0, 1.0) + _log_normal(x[:, 1], wave(x[:, 0]), 0.25)

    return Toy("cosine", "x ~ N(0, 1), y ~ N(1.5 cos 2.5x, 0.25²)", sample, log_density)


def _rings(u: Array) -> Array:
    ring = np.floor(4 * u)
    angle = 2 * np.pi * (4 * u % 1)
    return ((1 + ring) / 2)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _pinwheel() -> Toy:
    arms, mean, spread, noise, twist = 5, 0.1, 0.35, 0.13, 1.1
    arm_angles = 2 * np.pi * np.arange(arms) / arms

    def sample(number: int, generator: np.random.Generator) -> Array:
        log_radius = mean + spread * generator.standard_normal(number)
        angle = arm_angles[generator.integers(arms, size=number)] + twist * log_radius
        angle = angle + noise * generator.standard_normal(number)
        return np.exp(log_radius)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)

    def log_density(x: Array) -> Array:
        # The density vanishes at the centre, whose logarithm does not exist.
        log_radius = np.log(np.maximum(np.hypot(x[:, 0], x[:, 1]), 1e-9))
        deviation = (np.arctan2(x[:, 1], x[:, 0]) - twist * log_radius)[:, None] - arm_angles
        # Angles are known up to whole turns; half a turn is 24 deviations of the noise: only the nearest counts.
        deviation = (deviation + np.pi) % (2 * np.pi) - np.pi
        log_angle = logsumexp(_log_normal(deviation, 0.0, noise), axis=1) - math.log(arms)
        # From (log r, angle) to the plane: r² dlogr dangle = dx dy.
        return _log_normal(log_radius, mean, spread) + log_angle - 2 * log_radius

    return Toy(
        "pinwheel",
        "five arms; log r ~ N(0.1, 0.35²), the angle twisted by 1.1 log r, with noise of deviation 0.13",
        sample,
        log_density,
    )


_RING_OF_EIGHT = 1.6 * np.stack([f(np.pi / 4 * np.arange(8)) for f in (np.cos, np.sin)], axis=1)

TOYS: dict[str, Toy] = {
    toy.name: toy
    for toy in (
        curve("moons", "two half circles of radius 1.3, noise of deviation 0.13", _moons, 0.13),
        _pinwheel(),
        curve("spirals", "two arms of one turn and a half, noise of deviation 0.1", _spirals, 0.1),
        _checkerboard(),
        mixture("eight_gaussians", "eight Gaussians of deviation 0.2 on a circle of radius 1.6", _RING_OF_EIGHT, 0.2),
        curve("rings", "four rings of radius 0.5, 1, 1.5 and 2, equally likely, noise 0.08", _rings, 0.08),
        curve("swiss_roll", "a spiral of one turn and a half from radius 0.67 to 2.02, noise 0.1", _swiss_roll, 0.1),
        _cosine(),
    )
}
"""The eight, by name."""
