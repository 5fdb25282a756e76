"""The models: the same figures for every library."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

__all__ = [
    "GLOW",
    "MAF",
    "NSF",
    "REALNVP",
    "Circular",
    "Coupling",
    "Density",
    "Glow",
    "Masked",
    "Spline",
    "do_nothing",
]

Event = tuple[int, ...]
"""Event shape of the data."""


@dataclass(frozen=True)
class Masked:
    """MAF: masked autoregressive affine layers, the order of the features reversed after each."""

    layers: int = 5
    hidden: tuple[int, int] = (64, 64)


@dataclass(frozen=True)
class Coupling:
    """RealNVP: affine couplings that keep the even and the odd features in turn; after each, a matrix in LU form."""

    layers: int = 8
    hidden: tuple[int, int] = (64, 64)


@dataclass(frozen=True)
class Spline:
    """Neural spline flow: rational-quadratic splines, in couplings or autoregressive, each after such a matrix."""

    layers: int = 5
    hidden: tuple[int, int] = (64, 64)
    bins: int = 8
    bound: float = 5.0


@dataclass(frozen=True)
class Glow:
    """Glow: at each level a squeeze and some steps of actnorm, 1x1 convolution and affine coupling."""

    levels: int = 2
    steps: int = 4
    hidden: int = 48


@dataclass(frozen=True)
class Circular:
    """Splines of circles: couplings of angles, or layers on a sphere, of an angle and heights."""

    layers: int = 5
    hidden: tuple[int, ...] = (64, 64, 64)
    bins: int = 8


MAF, REALNVP, NSF, GLOW = Masked(), Coupling(), Spline(), Glow()
"""Those of the record."""


def do_nothing(x: Tensor) -> None:
    """The start of a model that needs none."""


@dataclass(frozen=True)
class Density:
    """A model of any library."""

    module: nn.Module
    """Holds all parameters."""
    log_prob: Callable[..., Tensor]
    """``batch x event``, and a context where it has one, to ``batch``, in nats."""
    start: Callable[[Tensor], None] = do_nothing
    """Called once, before training, with the first batch; where the library starts by itself, it has nothing to do."""
