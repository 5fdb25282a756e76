"""The works: the same depth, widths, bins and batch for every library.

- **Spline and affine couplings** keep the first and the second half of the features in turn: the one form that every
  library has without a matrix, or even a permutation, between its layers.
- **MAF** reverses the order of the features between its layers, as a layer or as another order of the masks.
- **Glow** has levels of a squeeze and steps of actnorm, 1x1 convolution and affine coupling; half of the channels leave
  after each level but the last. The networks have actnorms, as Glow's have, or are plain: convolutions and ReLUs alone.

What differs beyond that is in the table of each library's module.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.density.architectures import Coupling, Event, Glow, Masked, Spline

__all__ = ["QUICK", "RECORD", "Work"]

Settings = Spline | Coupling | Masked | Glow


@dataclass(frozen=True)
class Work:
    """A model's sizes and what it is given."""

    event: Event
    """Event shape of the data."""
    settings: Settings
    batch: int
    """Samples of a training step, and of a drawing of samples."""

    def data(self) -> Tensor:
        """A batch, the same each time: normal vectors, or images of values in [-0.5, 0.5)."""
        generator = torch.Generator().manual_seed(1)
        if len(self.event) == 1:
            return torch.randn(self.batch, *self.event, generator=generator)
        return torch.rand(self.batch, *self.event, generator=generator) - 0.5


RECORD = {
    "spline": Work((64,), Spline(layers=8, hidden=(128, 128), bins=8), batch=1024),
    "affine": Work((64,), Coupling(layers=8, hidden=(128, 128)), batch=1024),
    "maf": Work((64,), Masked(layers=8, hidden=(128, 128)), batch=1024),
    "glow": Work((3, 32, 32), Glow(levels=3, steps=8, hidden=128), batch=16),
    "plain_glow": Work((3, 32, 32), Glow(levels=3, steps=8, hidden=128), batch=16),
}
"""Those of the record, by the name of the function that builds the model."""

QUICK = {
    "spline": Work((6,), Spline(layers=2, hidden=(16, 16), bins=4), batch=8),
    "affine": Work((6,), Coupling(layers=2, hidden=(16, 16)), batch=8),
    "maf": Work((6,), Masked(layers=2, hidden=(16, 16)), batch=8),
    "glow": Work((3, 8, 8), Glow(levels=2, steps=2, hidden=8), batch=4),
    "plain_glow": Work((3, 8, 8), Glow(levels=2, steps=2, hidden=8), batch=4),
}
"""The same, too small to compare."""
