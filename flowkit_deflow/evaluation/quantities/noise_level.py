"""How strong the noise is, all pixels together."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from flowkit_deflow.evaluation.comparison import Difference, Ratio
from flowkit_deflow.evaluation.pair import CHANNEL_NAMES, Pair
from flowkit_deflow.evaluation.quantity import Measure, Row
from flowkit_deflow.evaluation.statistic import Array, Statistic, Sums, without_rounding
from flowkit_deflow.evaluation.unit import GREY_LEVELS

__all__ = ["NOISE_LEVEL", "Moments"]


@dataclass(frozen=True, eq=False)
class Moments(Statistic):
    """Means, standard deviations and correlations of the residual's channels over all pixels.

    Attributes:
        mean: shape (3,), in [0, 1] units.
        std: shape (3,), in [0, 1] units.
        correlation: shape (3, 3), between channels at the same pixel; NaN where a channel's residual is constant.
    """

    mean: Array
    std: Array
    correlation: Array

    @property
    def overall_std(self) -> float:
        """Square root of the mean over the channels of the variance, in [0, 1] units."""
        return float(np.sqrt(np.mean(self.std**2)))

    @classmethod
    def sums(cls, pair: Pair) -> Sums:
        """Sums of the residual and of its products between channels."""
        flat = pair.residual.flatten(1)
        return {
            "pixels": torch.tensor(flat.shape[1], dtype=torch.float64),
            "residual": flat.sum(1),
            "products": flat @ flat.T,
        }

    @classmethod
    def from_sums(cls, sums: Sums) -> Self:
        """Normalise the sums."""
        mean = sums["residual"] / sums["pixels"]
        square = sums["products"] / sums["pixels"]
        covariance = square - torch.outer(mean, mean)
        std = without_rounding(covariance.diagonal(), square.diagonal()).sqrt()
        scale = torch.outer(std, std)
        correlation = torch.where(scale > 0, covariance / scale, math.nan)
        return cls(mean=mean.numpy(), std=std.numpy(), correlation=correlation.numpy())


BY_CHANNEL = tuple(Row(f", {channel}", (index,)) for index, channel in enumerate(CHANNEL_NAMES))

MEAN = Measure(
    key="mean",
    name="mean",
    unit=GREY_LEVELS,
    statistic=Moments,
    value=lambda moments: moments.mean,
    comparison=Difference(),
    rows=BY_CHANNEL,
)
STD = Measure(
    key="std",
    name="std",
    unit=GREY_LEVELS,
    statistic=Moments,
    value=lambda moments: moments.std,
    comparison=Ratio("std_ratio"),
    rows=BY_CHANNEL,
)
OVERALL_STD = Measure(
    key="overall_std",
    name="std, channels together",
    unit=GREY_LEVELS,
    statistic=Moments,
    value=lambda moments: moments.overall_std,
    comparison=Ratio("overall_std_ratio"),
    interval=True,
)
NOISE_LEVEL = (MEAN, STD, OVERALL_STD)
