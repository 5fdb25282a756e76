"""The works: the same depth, widths, bins and batch for every library.

- **Spline and affine couplings** keep the first and the second half of the features in turn: the one form that every
  library has without a matrix, or even a permutation, between its layers.
- **MAF** reverses the order of the features between its layers, as a layer or as another order of the masks.
- **Glow** has levels of a squeeze and steps of actnorm, 1x1 convolution and affine coupling; half of the channels leave
  after each level but the last. The networks have actnorms, as Glow's have, or are plain: convolutions and ReLUs alone.
- **Conditional flows** are those that a library has by name: MAF, neural spline flows (couplings and autoregressive)
  and RealNVP, the last three with matrices in LU form between their layers, of vectors of 6 given vectors of 16 to 128.
- **Families** are those that at least one peer has: monotonic networks, polynomials and mixtures over 6 features, as
  their samples are found numerically; the others as large as the first works where that takes a second at most.

What differs beyond that is in the table of each library's module.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor

from benchmarks.density.architectures import Coupling, Event, Glow, Masked, Spline
from benchmarks.peers.families.architectures import (
    Bernstein,
    Blocks,
    Circular,
    Family,
    Integrals,
    Mixtures,
    Monotonic,
    Ranked,
    Squares,
    Stack,
)

__all__ = ["FAMILIES_ROOM", "FULL", "GRIDS", "QUICK", "RECORD", "Work"]

Settings = Spline | Coupling | Masked | Glow | Family

ROOM = "benchmarks.peers"
CONDITIONAL_ROOM, FAMILIES_ROOM = f"{ROOM}.conditional", f"{ROOM}.families"
"""Packages of the libraries' modules."""

TRAIN_AND_SAMPLE = ("training step", "sampling")
TRAIN_AND_SCORE = ("training step", "log_prob")
ALL_PHASES = ("training step", "log_prob", "sampling")


@dataclass(frozen=True)
class Work:
    """A model's sizes and what it is given."""

    model: str
    """Name of the function that builds it, in each library's module."""
    event: Event
    """Event shape of the data."""
    settings: Settings
    batch: int
    """Samples of a training step, and of a drawing of samples."""
    context: int = 0
    """Entries of the context; 0 for an unconditional flow."""
    room: str = ROOM
    """The package of the libraries' modules."""
    phases: tuple[str, ...] = TRAIN_AND_SAMPLE
    """What is timed. Of a training step, a density by itself is a known part."""
    angles: bool = False
    """Whether the data are angles."""

    @property
    def family(self) -> bool:
        """Whether it is one of the families, of which no memory is weighed: not every model's can be."""
        return self.room == FAMILIES_ROOM

    @property
    def bounded(self) -> bool:
        """Whether flowkit is also timed compiled, and beside its products alone."""
        return self.room == ROOM

    def data(self) -> tuple[Tensor, ...]:
        """A batch, the same each time: normal vectors, angles, or images in [-0.5, 0.5); and contexts, if any."""
        generator = torch.Generator().manual_seed(1)
        if self.angles:
            x = math.pi * (2 * torch.rand(self.batch, *self.event, generator=generator) - 1)
        elif len(self.event) == 1:
            x = torch.randn(self.batch, *self.event, generator=generator)
        else:
            x = torch.rand(self.batch, *self.event, generator=generator) - 0.5
        return (x, torch.randn(self.batch, self.context, generator=generator)) if self.context else (x,)

    def condition(self) -> tuple[Tensor, ...]:
        """What all samples of a drawing are given: one context ``1 x context``, or nothing."""
        return tuple(part[:1] for part in self.data()[1:])


UNCONDITIONAL = {
    "spline": Work("spline", (64,), Spline(layers=8, hidden=(128, 128), bins=8), batch=1024),
    "affine": Work("affine", (64,), Coupling(layers=8, hidden=(128, 128)), batch=1024),
    "maf": Work("maf", (64,), Masked(layers=8, hidden=(128, 128)), batch=1024),
    "glow": Work("glow", (3, 32, 32), Glow(levels=3, steps=8, hidden=128), batch=16),
    "plain_glow": Work("plain_glow", (3, 32, 32), Glow(levels=3, steps=8, hidden=128), batch=16),
}

CONDITIONAL_SETTINGS: dict[str, Settings] = {
    "maf": Masked(layers=5, hidden=(64, 64)),
    "nsf": Spline(layers=5, hidden=(64, 64), bins=8),
    "nsf_autoregressive": Spline(layers=5, hidden=(64, 64), bins=8),
    "realnvp": Coupling(layers=8, hidden=(128, 128)),
}
CONTEXTS, BATCHES = (16, 64, 128), (512, 1024, 4096)


def _conditional(sizes: Iterable[tuple[int, int]]) -> dict[str, Work]:
    """A work for each model and each pair of context and batch."""
    return {
        f"{model} given {context}, batch {batch}": Work(
            model, (6,), settings, batch, context, room=CONDITIONAL_ROOM, phases=ALL_PHASES
        )
        for (model, settings), (context, batch) in product(CONDITIONAL_SETTINGS.items(), list(sizes))
    }


WIDE = Spline(layers=8, hidden=(128, 128), bins=8)


def _family(
    model: str,
    event: Event,
    settings: Settings,
    batch: int,
    phases: tuple[str, ...] = ALL_PHASES,
    angles: bool = False,
) -> Work:
    return Work(model, event, settings, batch, room=FAMILIES_ROOM, phases=phases, angles=angles)


FAMILIES = {
    "naf": _family("naf", (6,), Monotonic(), batch=512),
    # Its samples take ten seconds and more, in both libraries that have them.
    "unaf": _family("unaf", (6,), Integrals(), batch=512, phases=TRAIN_AND_SCORE),
    "bnaf": _family("bnaf", (6,), Blocks(), batch=512, phases=TRAIN_AND_SCORE),
    "sospf": _family("sospf", (6,), Squares(), batch=512),
    "bpf": _family("bpf", (6,), Bernstein(), batch=512),
    "gaussianization": _family("gaussianization", (6,), Mixtures(), batch=512),
    "planar": _family("planar", (64,), Stack(), batch=1024, phases=TRAIN_AND_SCORE),
    "radial": _family("radial", (64,), Stack(), batch=1024, phases=TRAIN_AND_SCORE),
    "sylvester": _family("sylvester", (16,), Ranked(), batch=1024, phases=TRAIN_AND_SCORE),
    "residual": _family("residual", (16,), Stack(hidden=(64, 64)), batch=256, phases=TRAIN_AND_SAMPLE),
    "ncsf": _family("ncsf", (6,), Circular(), batch=512, angles=True),
    "gin": _family("gin", (64,), Coupling(layers=8, hidden=(128, 128)), batch=1024),
    "linear_spline": _family("linear_spline", (64,), WIDE, batch=1024),
    "quadratic_spline": _family("quadratic_spline", (64,), WIDE, batch=1024),
    "cubic_spline": _family("cubic_spline", (64,), WIDE, batch=1024),
}

RECORD = UNCONDITIONAL | FAMILIES | _conditional(zip(CONTEXTS, BATCHES, strict=True))
"""Those of the record: of the conditional grid its diagonal, from little context and few samples to much and many."""

FULL = UNCONDITIONAL | FAMILIES | _conditional(product(CONTEXTS, BATCHES))
"""With the whole grid of contexts and batches."""

SMALL = (16, 16)


def _small_conditional(model: str, settings: Settings) -> Work:
    return Work(model, (4,), settings, batch=8, context=5, room=CONDITIONAL_ROOM, phases=ALL_PHASES)


QUICK = {
    "spline": Work("spline", (6,), Spline(layers=2, hidden=SMALL, bins=4), batch=8),
    "affine": Work("affine", (6,), Coupling(layers=2, hidden=SMALL), batch=8),
    "maf": Work("maf", (6,), Masked(layers=2, hidden=SMALL), batch=8),
    "glow": Work("glow", (3, 8, 8), Glow(levels=2, steps=2, hidden=8), batch=4),
    "plain_glow": Work("plain_glow", (3, 8, 8), Glow(levels=2, steps=2, hidden=8), batch=4),
    **{
        f"{model} given 5": _small_conditional(model, settings)
        for model, settings in {
            "maf": Masked(layers=2, hidden=SMALL),
            "nsf": Spline(layers=2, hidden=SMALL, bins=4),
            "nsf_autoregressive": Spline(layers=2, hidden=SMALL, bins=4),
            "realnvp": Coupling(layers=2, hidden=SMALL),
        }.items()
    },
    **{
        name: replace(FAMILIES[name], event=(4,), batch=8, settings=settings)
        for name, settings in {
            "naf": Monotonic(layers=1, hidden=SMALL, units=4),
            "unaf": Integrals(layers=1, hidden=SMALL, signal=4, integrand=(8,), points=8),
            "bnaf": Blocks(layers=2, units=4),
            "sospf": Squares(layers=1, hidden=SMALL),
            "bpf": Bernstein(layers=1, hidden=SMALL, degree=4),
            "gaussianization": Mixtures(layers=1, components=4),
            "planar": Stack(layers=2),
            "radial": Stack(layers=2),
            "sylvester": Ranked(layers=2),
            "residual": Stack(layers=1, hidden=SMALL),
            "ncsf": Circular(layers=2, hidden=(16, 16, 16), bins=4),
            "gin": Coupling(layers=2, hidden=SMALL),
            "linear_spline": Spline(layers=2, hidden=SMALL, bins=4),
            "quadratic_spline": Spline(layers=2, hidden=SMALL, bins=4),
            "cubic_spline": Spline(layers=2, hidden=SMALL, bins=4),
        }.items()
    },
}
"""The same models, too small to compare."""

GRIDS = {"record": RECORD, "full": FULL, "quick": QUICK}
"""The works by the name of what is asked for."""
