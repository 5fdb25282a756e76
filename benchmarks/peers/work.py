"""The works: the same depth, widths, bins and batch for every library.

- **Spline and affine couplings** keep the first and the second half of the features in turn: the one form that every
  library has without a matrix, or even a permutation, between its layers.
- **MAF** reverses the order of the features between its layers, as a layer or as another order of the masks.
- **Glow** has levels of a squeeze and steps of actnorm, 1x1 convolution and affine coupling; half of the channels leave
  after each level but the last. The networks have actnorms, as Glow's have, or are plain: convolutions and ReLUs alone.
- **Conditional flows** are those that a library has by name: MAF, neural spline flows (couplings and autoregressive)
  and RealNVP, the last three with matrices in LU form between their layers, of vectors of 6 given vectors of 16 to 128.

What differs beyond that is in the table of each library's module.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from benchmarks.density.architectures import Coupling, Event, Glow, Masked, Spline

__all__ = ["FULL", "GRIDS", "QUICK", "RECORD", "Work"]

Settings = Spline | Coupling | Masked | Glow


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

    def data(self) -> tuple[Tensor, ...]:
        """A batch, the same each time: normal vectors, or images in [-0.5, 0.5); and a context for each, if any."""
        generator = torch.Generator().manual_seed(1)
        if len(self.event) == 1:
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
        f"{model} given {context}, batch {batch}": Work(model, (6,), settings, batch, context)
        for (model, settings), (context, batch) in product(CONDITIONAL_SETTINGS.items(), list(sizes))
    }


RECORD = UNCONDITIONAL | _conditional(zip(CONTEXTS, BATCHES, strict=True))
"""Those of the record: of the conditional grid its diagonal, from little context and few samples to much and many."""

FULL = UNCONDITIONAL | _conditional(product(CONTEXTS, BATCHES))
"""With the whole grid of contexts and batches."""

QUICK = {
    "spline": Work("spline", (6,), Spline(layers=2, hidden=(16, 16), bins=4), batch=8),
    "affine": Work("affine", (6,), Coupling(layers=2, hidden=(16, 16)), batch=8),
    "maf": Work("maf", (6,), Masked(layers=2, hidden=(16, 16)), batch=8),
    "glow": Work("glow", (3, 8, 8), Glow(levels=2, steps=2, hidden=8), batch=4),
    "plain_glow": Work("plain_glow", (3, 8, 8), Glow(levels=2, steps=2, hidden=8), batch=4),
    "maf given 5": Work("maf", (4,), Masked(layers=2, hidden=(16, 16)), batch=8, context=5),
    "nsf given 5": Work("nsf", (4,), Spline(layers=2, hidden=(16, 16), bins=4), batch=8, context=5),
    "nsf_autoregressive given 5": Work(
        "nsf_autoregressive", (4,), Spline(layers=2, hidden=(16, 16), bins=4), batch=8, context=5
    ),
    "realnvp given 5": Work("realnvp", (4,), Coupling(layers=2, hidden=(16, 16)), batch=8, context=5),
}
"""The same models, too small to compare."""

GRIDS = {"record": RECORD, "full": FULL, "quick": QUICK}
"""The works by the name of what is asked for."""
