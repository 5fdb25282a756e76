"""The families' figures, the same for every library; the fields are flowkit's own arguments."""

from dataclasses import dataclass

from benchmarks.density.architectures import Circular

__all__ = [
    "LIPSCHITZ",
    "Bernstein",
    "Blocks",
    "Circular",
    "Family",
    "Integrals",
    "Mixtures",
    "Monotonic",
    "Ranked",
    "Squares",
    "Stack",
]

Widths = tuple[int, ...]

LIPSCHITZ = 0.97
"""The largest slope of each layer in a residual block."""


@dataclass(frozen=True)
class Monotonic:
    """NAF: the weights of small increasing networks come from masked networks."""

    layers: int = 3
    hidden: Widths = (64, 64)
    units: int = 16
    depth: int = 1


@dataclass(frozen=True)
class Integrals:
    """UNAF: integrals of positive networks, which see a signal of masked networks."""

    layers: int = 3
    hidden: Widths = (64, 64)
    signal: int = 8
    integrand: Widths = (32, 32)
    points: int = 32


@dataclass(frozen=True)
class Blocks:
    """BNAF: networks that are increasing in each feature."""

    layers: int = 3
    units: int = 8
    depth: int = 2


@dataclass(frozen=True)
class Squares:
    """Sum-of-squares polynomials whose coefficients come from masked networks."""

    layers: int = 3
    hidden: Widths = (64, 64)
    polynomials: int = 2
    degree: int = 3


@dataclass(frozen=True)
class Bernstein:
    """Bernstein polynomials whose coefficients come from masked networks."""

    layers: int = 3
    hidden: Widths = (64, 64)
    degree: int = 16


@dataclass(frozen=True)
class Mixtures:
    """Gaussianization: a mixture for each feature, and rotations between."""

    layers: int = 6
    components: int = 8


@dataclass(frozen=True)
class Stack:
    """Planar or radial layers, or residual blocks of so many hidden units."""

    layers: int = 8
    hidden: Widths = ()


@dataclass(frozen=True)
class Ranked:
    """Sylvester layers of as many hidden units as features, by as many reflections."""

    layers: int = 8


Family = Monotonic | Integrals | Blocks | Squares | Bernstein | Mixtures | Stack | Ranked | Circular
