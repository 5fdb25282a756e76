"""How much was measured."""

from dataclasses import dataclass
from typing import Self

import torch

from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantity import Measure
from flowkit_deflow.evaluation.statistic import Statistic, Sums
from flowkit_deflow.evaluation.unit import COUNT

__all__ = ["COUNTS", "Counts"]


@dataclass(frozen=True, eq=False)
class Counts(Statistic):
    """The size of a set of images.

    Attributes:
        images: number of images.
        pixels: number of pixels (not multiplied by the channels).
    """

    images: int
    pixels: int

    @classmethod
    def sums(cls, pair: Pair) -> Sums:
        """One image, and its pixels."""
        return {"images": torch.tensor(1), "pixels": torch.tensor(pair.residual[0].numel())}

    @classmethod
    def from_sums(cls, sums: Sums) -> Self:
        """The counts as plain numbers."""
        return cls(images=int(sums["images"]), pixels=int(sums["pixels"]))


IMAGES = Measure(key="images", name="images", unit=COUNT, statistic=Counts, value=lambda counts: counts.images)
PIXELS = Measure(key="pixels", name="pixels", unit=COUNT, statistic=Counts, value=lambda counts: counts.pixels)
COUNTS = (IMAGES, PIXELS)
