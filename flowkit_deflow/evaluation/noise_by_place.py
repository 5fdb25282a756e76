"""The noise in classes of places: how bright and how textured the clean image is there."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from flowkit_deflow.evaluation.brightness_bins import BRIGHTNESS_BINS, brightness_bins
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.statistic import Array, Statistic, Sums
from flowkit_deflow.evaluation.texture import TEXTURE_BINS, texture_bins

__all__ = ["NoiseByPlace", "place_bins"]

PLACES = BRIGHTNESS_BINS * TEXTURE_BINS.count


def place_bins(pair: Pair) -> torch.Tensor:
    """Shape (H W,): the bin of each pixel, by brightness and within it by texture."""
    return brightness_bins(pair) * TEXTURE_BINS.count + texture_bins(pair)


@dataclass(frozen=True, eq=False)
class NoiseByPlace(Statistic):
    """Sums of the residual by brightness (16 bins) and texture (128 bins of the local contrast).

    Attributes:
        pixels: shape (16, 128), pixels in each bin.
        residual: shape (3, 16, 128), the sum of the residual in each, in [0, 1] units.
        squares: shape (3, 16, 128), the sum of its squares.
    """

    pixels: Array
    residual: Array
    squares: Array

    @classmethod
    def sums(cls, pair: Pair) -> Sums:
        """The sums of one image."""
        bins = place_bins(pair)
        flat = pair.residual.flatten(1)
        shape = (BRIGHTNESS_BINS, TEXTURE_BINS.count)
        return {
            "pixels": torch.bincount(bins, minlength=PLACES).double().view(shape),
            "residual": torch.stack([torch.bincount(bins, values, PLACES).view(shape) for values in flat]),
            "squares": torch.stack([torch.bincount(bins, values.square(), PLACES).view(shape) for values in flat]),
        }

    @classmethod
    def from_sums(cls, sums: Sums) -> Self:
        """The sums as they are."""
        return cls(*(np.asarray(sums[name].numpy()) for name in ("pixels", "residual", "squares")))
