"""The noise's grain: how neighbouring pixels go together."""

import math
from dataclasses import dataclass
from typing import Self

import torch

from flowkit_deflow.evaluation.comparison import Difference
from flowkit_deflow.evaluation.pair import CHANNELS, Pair
from flowkit_deflow.evaluation.picture import LagMaps
from flowkit_deflow.evaluation.quantity import Measure, Row
from flowkit_deflow.evaluation.statistic import Array, Statistic, Sums, without_rounding

__all__ = ["MAX_LAG", "SPATIAL_CORRELATION", "SpatialCorrelation"]

MAX_LAG = 8


@dataclass(frozen=True, eq=False)
class SpatialCorrelation(Statistic):
    """The residual's correlation with itself at a distance.

    Attributes:
        autocorrelation: shape (9, 9), entry (dy, dx) is the mean of r(y, x) r(y + dy, x + dx) over positions
            and channels, each image and channel less its own mean, divided by entry (0, 0); NaN for lags that
            no image is large enough for, and everywhere if the residuals are constant.
    """

    autocorrelation: Array

    @property
    def lag1(self) -> float:
        """Autocorrelation of direct neighbours: the mean of lags (0, 1) and (1, 0); 0 for white noise."""
        return float((self.autocorrelation[0, 1] + self.autocorrelation[1, 0]) / 2)

    @classmethod
    def sums(cls, pair: Pair) -> Sums:
        """Sums over the channels of the products at each lag, and how many products there are."""
        height, width = pair.centred.shape[1:]
        # MAX_LAG zeros keep the cyclic correlation from wrapping; multiples of 64 keep the transform fast.
        shape = [-(-(side + MAX_LAG) // 64) * 64 for side in (height, width)]
        lags = torch.arange(MAX_LAG + 1, dtype=torch.float64)
        pairs = torch.outer((height - lags).clamp(min=0), (width - lags).clamp(min=0))
        products = torch.zeros_like(pairs)
        for channel in pair.centred:
            power = torch.fft.rfft2(channel, s=shape).abs().square()
            # What the transform's rounding leaves at lags without pairs is not a measurement.
            products += torch.fft.irfft2(power, s=shape)[: MAX_LAG + 1, : MAX_LAG + 1] * (pairs > 0)
        return {
            "products": products,
            "pairs": CHANNELS * pairs,
            "squares": pair.residual.square().sum(),
            "values": torch.tensor(pair.residual.numel(), dtype=torch.float64),
        }

    @classmethod
    def from_sums(cls, sums: Sums) -> Self:
        """Normalise the sums, and divide by the variance."""
        autocovariance = sums["products"] / sums["pairs"]
        variance = without_rounding(autocovariance[0, 0], sums["squares"] / sums["values"])
        return cls(torch.where(variance > 0, autocovariance / variance, math.nan).numpy())


LAG1 = Measure(
    key="lag1",
    statistic=SpatialCorrelation,
    value=lambda spatial: spatial.lag1,
    comparison=Difference("lag1_difference"),
    interval=True,
    rows=(),
)
AUTOCORRELATION = Measure(
    key="autocorrelation",
    name="autocorrelation",
    statistic=SpatialCorrelation,
    value=lambda spatial: spatial.autocorrelation,
    comparison=Difference(),
    rows=(
        Row(", 1 right", (0, 1)),
        Row(", 1 down", (1, 0)),
        Row(", 1 right, 1 down", (1, 1)),
        Row(", 2 right", (0, 2)),
        Row(", 4 right", (0, 4)),
    ),
    picture=LagMaps(
        file="autocorrelation.png",
        heading="Spatial correlation of the noise",
        title="Grain: spatial autocorrelation of {residual}",
    ),
)
SPATIAL_CORRELATION = (LAG1, AUTOCORRELATION)
