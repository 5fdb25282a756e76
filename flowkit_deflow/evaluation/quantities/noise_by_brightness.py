"""How strong the noise is at each brightness."""

from dataclasses import dataclass
from typing import Self

import torch
from numpy import bool_
from numpy.typing import NDArray

from flowkit_deflow.evaluation.brightness_bins import (
    BRIGHTNESS_BINS,
    BRIGHTNESS_CENTRES,
    brightness_bins,
    enough_pixels,
)
from flowkit_deflow.evaluation.comparison import Ratio
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.picture import Curves
from flowkit_deflow.evaluation.quantity import Measure, Row
from flowkit_deflow.evaluation.statistic import Array, Statistic, Sums, without_rounding
from flowkit_deflow.evaluation.unit import GREY_LEVELS

__all__ = ["NOISE_BY_BRIGHTNESS", "NoiseByBrightness"]

LEVELS = 256 // BRIGHTNESS_BINS


@dataclass(frozen=True, eq=False)
class NoiseByBrightness(Statistic):
    """The spread of the residual in 16 equal bins of the reference's brightness.

    Attributes:
        pixels: shape (16,), pixels in each bin.
        std: shape (16,), square root of the mean over the channels of the residual's variance within a bin, in
            [0, 1] units; NaN for bins without pixels.
        reliable: shape (16,), bins with enough pixels for their spread to mean something.
    """

    pixels: Array
    std: Array
    reliable: NDArray[bool_]

    @classmethod
    def sums(cls, pair: Pair) -> Sums:
        """Sums of the residual and of its squares within each bin."""
        bins = brightness_bins(pair)
        flat = pair.residual.flatten(1)
        return {
            "pixels": torch.bincount(bins, minlength=BRIGHTNESS_BINS).double(),
            "residual": torch.stack([torch.bincount(bins, values, BRIGHTNESS_BINS) for values in flat]),
            "squares": torch.stack([torch.bincount(bins, values.square(), BRIGHTNESS_BINS) for values in flat]),
        }

    @classmethod
    def from_sums(cls, sums: Sums) -> Self:
        """Normalise the sums."""
        mean, square = sums["residual"] / sums["pixels"], sums["squares"] / sums["pixels"]
        variance = without_rounding(square - mean.square(), square)
        pixels = sums["pixels"].numpy()
        return cls(pixels=pixels, std=variance.mean(0).sqrt().numpy(), reliable=enough_pixels(pixels))


PIXELS_BY_BRIGHTNESS = Measure(
    key="brightness_pixels",
    statistic=NoiseByBrightness,
    value=lambda noise: noise.pixels,
    rows=(),
)
STD_BY_BRIGHTNESS = Measure(
    key="brightness_std",
    name="std at brightness",
    unit=GREY_LEVELS,
    statistic=NoiseByBrightness,
    value=lambda noise: noise.std,
    comparison=Ratio(),
    reliable=lambda noise: noise.reliable,
    rows=tuple(Row(f" {LEVELS * index}..{LEVELS * (index + 1) - 1}", (index,)) for index in range(BRIGHTNESS_BINS)),
    picture=Curves(
        file="std_vs_brightness.png",
        heading="Noise level against brightness",
        title="Strength of the noise against brightness",
        x=255 * BRIGHTNESS_CENTRES,
        xlabel="brightness of the {reference} image [8-bit grey levels]",
        ylabel="std of {residual} [grey levels]",
        xlim=(0, 255),
        xticks=range(0, 257, 32),
    ),
)
NOISE_BY_BRIGHTNESS = (PIXELS_BY_BRIGHTNESS, STD_BY_BRIGHTNESS)
