"""How large the works are: those of the record, and small ones that show that all of it runs."""

from dataclasses import dataclass

import torch

from flowkit_deflow import Architecture, preset

__all__ = ["FULL", "QUICK", "Setting", "Sizes"]


@dataclass(frozen=True)
class Sizes:
    """Sizes of all works."""

    aim: Architecture
    ntire: Architecture
    sides: tuple[int, ...]
    """Of square images whose throughput is measured, in pixels."""
    batches: tuple[int, ...]
    """Images at once."""
    crop: int
    """Side of the images that are degraded and trained on, in pixels."""
    crops: int
    """Of a training step."""
    samples: int
    """Degraded versions of one image."""
    shallow_steps: int
    """Steps of each level of the network that is compiled first."""
    matrix: int
    """Rows and columns of the matrices whose product is timed."""
    works: str
    """Which of the peers' works, one of :data:`benchmarks.peers.work.GRIDS`."""
    entries: tuple[str, ...]
    """Bijectors of flowkit's catalogue whose values are compared between the processors."""
    seconds: float
    """About how long each work is timed."""
    compiler: str
    """The backend of ``torch.compile``."""


FULL = Sizes(
    aim=preset("aim").architecture,
    ntire=preset("ntire").architecture,
    sides=(160, 320, 512),
    batches=(1, 4, 16),
    crop=160,
    crops=8,
    samples=8,
    shallow_steps=2,
    matrix=8192,
    works="record",
    entries=(
        "LULinear",
        "Householder",
        "Coupling, spline, conditional",
        "MaskedCoupling, checkerboard",
        "MaskedAutoregressive, spline, conditional",
        "Residual",
        "NeuralODE, fixed steps",
        "ContextMap",
        "MultiScale, 3 levels",
        "nsf, conditional",
        "maf, conditional",
        "glow, conditional",
    ),
    seconds=0.6,
    compiler="inductor",
)

QUICK = Sizes(
    aim=preset("tiny").architecture,
    ntire=preset("tiny").architecture,
    sides=(16, 32),
    batches=(1, 2),
    crop=16,
    crops=2,
    samples=2,
    shallow_steps=1,
    matrix=128,
    works="quick",
    entries=("LULinear", "MultiScale, 2 levels"),
    seconds=0.01,
    # Graphs are made, but no kernels, which would take most of a minute.
    compiler="eager",
)


@dataclass(frozen=True)
class Setting:
    """What a section is given."""

    device: torch.device
    sizes: Sizes
