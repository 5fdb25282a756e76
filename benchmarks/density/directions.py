"""Densities of angles and of directions: exact samples, and the exact log-density of every one of them.

Angles are in radians, within [-pi, pi]; a direction is a unit vector in space. Densities are per radian of each angle,
and per unit of area of the sphere.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp
from scipy.stats import truncnorm, vonmises

from benchmarks.density.toys import Array, Toy

__all__ = ["DIRECTIONS", "Direction"]


@dataclass(frozen=True)
class Direction(Toy):
    """A density on a circle, a torus or a sphere."""

    area: float
    """Of the whole: one over the uniform density."""


def angles(name: str, description: str, centres: Array, concentrations: Array) -> Direction:
    """Equally likely products of von Mises densities, both arguments ``K x D``."""
    _, features = centres.shape

    def sample(number: int, generator: np.random.Generator) -> Array:
        of = generator.integers(len(centres), size=number)
        return generator.vonmises(centres[of], concentrations[of])

    def log_density(x: Array) -> Array:
        logs = vonmises.logpdf(x[:, None] - centres, concentrations).sum(-1)
        return np.asarray(logsumexp(logs, axis=1)) - math.log(len(centres))

    return Direction(name, description, sample, log_density, (2 * math.pi) ** features)


def winding(name: str, description: str, turns: int, concentration: float) -> Direction:
    """The first angle anywhere; the second so many times the first, and von Mises about that."""

    def sample(number: int, generator: np.random.Generator) -> Array:
        first = generator.uniform(-np.pi, np.pi, number)
        second = turns * first + generator.vonmises(0, concentration, number)
        return np.stack([first, np.remainder(second + np.pi, 2 * np.pi) - np.pi], -1)

    def log_density(x: Array) -> Array:
        return np.asarray(vonmises.logpdf(x[:, 1] - turns * x[:, 0], concentration)) - math.log(2 * math.pi)

    return Direction(name, description, sample, log_density, (2 * math.pi) ** 2)


def caps(name: str, description: str, centres: Array, concentrations: Array) -> Direction:
    """Equally likely von Mises-Fisher densities about unit vectors ``K x 3``, concentrations ``K``."""

    def sample(number: int, generator: np.random.Generator) -> Array:
        of = generator.integers(len(centres), size=number)
        concentration, share = concentrations[of], generator.random(number)
        height = 1 + np.log(share + (1 - share) * np.exp(-2 * concentration)) / concentration
        return _around(centres[of], height, generator)

    def log_density(x: Array) -> Array:
        constants = np.log(concentrations / (2 * np.pi * -np.expm1(-2 * concentrations)))
        logs = constants + concentrations * (x @ centres.T - 1)
        return np.asarray(logsumexp(logs, axis=1)) - math.log(len(centres))

    return Direction(name, description, sample, log_density, 4 * math.pi)


def belt(name: str, description: str, axis: Array, height: float, width: float) -> Direction:
    """About a circle of latitude: the height over the equator of a unit vector is normal, cut off at the poles."""
    heights = truncnorm((-1 - height) / width, (1 - height) / width, loc=height, scale=width)

    def sample(number: int, generator: np.random.Generator) -> Array:
        return _around(np.broadcast_to(axis, (number, 3)), heights.rvs(number, generator), generator)

    def log_density(x: Array) -> Array:
        # Slices of a sphere of the same height have the same area.
        return np.asarray(heights.logpdf(x @ axis)) - math.log(2 * math.pi)

    return Direction(name, description, sample, log_density, 4 * math.pi)


def _around(axes: Array, heights: Array, generator: np.random.Generator) -> Array:
    """Unit vectors of given heights along axes ``N x 3``, uniform about them."""
    tangents = generator.standard_normal(axes.shape)
    tangents -= (tangents * axes).sum(-1, keepdims=True) * axes
    tangents /= np.linalg.norm(tangents, axis=-1, keepdims=True)
    return heights[:, None] * axes + np.sqrt(np.maximum(1 - heights**2, 0))[:, None] * tangents


AXES = np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, -0.5], [0.0, -1.0, 0.2], [0.3, -0.2, -1.0]])

DIRECTIONS: dict[str, Direction] = {
    direction.name: direction
    for direction in (
        angles(
            "circle",
            "a circle: three modes, one of them where the angle is cut",
            np.array([[np.pi], [-1.0], [0.8]]),
            np.array([[10.0], [40.0], [4.0]]),
        ),
        angles(
            "torsions",
            "a torus: five modes, placed as torsion angles of a protein's chain are",
            np.array([[-1.1, -0.8], [-2.1, 2.3], [-1.2, 2.6], [1.0, 0.8], [-1.5, 3.1]]),
            np.array([[40.0, 30.0], [10.0, 12.0], [30.0, 20.0], [25.0, 25.0], [8.0, 20.0]]),
        ),
        winding("winding", "a torus: a band that goes around it once one way and twice the other", 2, 30.0),
        caps(
            "caps",
            "a sphere: four caps of different widths",
            AXES / np.linalg.norm(AXES, axis=1, keepdims=True),
            np.array([40.0, 15.0, 100.0, 6.0]),
        ),
        belt("belt", "a sphere: a belt about a circle of latitude, of a tilted axis", AXES[0] / 3**0.5, 0.4, 0.08),
    )
}
"""By name."""
