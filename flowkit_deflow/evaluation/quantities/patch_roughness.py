"""How rough small patches of the degraded images are, without any clean image."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F

from flowkit_deflow.evaluation.comparison import Ratio
from flowkit_deflow.evaluation.log_bins import LogBins
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.picture import Curves
from flowkit_deflow.evaluation.quantity import Measure, Row
from flowkit_deflow.evaluation.smoothing import high_pass_residual
from flowkit_deflow.evaluation.statistic import Array, Statistic, Sums
from flowkit_deflow.evaluation.unit import GREY_LEVELS

__all__ = ["PATCH_ROUGHNESS", "ROUGHNESS", "PatchRoughness"]

PATCH = 16
ROUGHNESS_LEVELS: Array = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
ROUGHNESS_BINS = LogBins(lowest=0.0625 / 255, octaves=11, per_octave=16)


@dataclass(frozen=True, eq=False)
class PatchRoughness(Statistic):
    """The spread of the high-pass (1.5 pixels) in the degraded images' patches of 16 x 16 pixels.

    Noise makes smooth patches rough and leaves textured ones about as they were: the low quantiles follow the noise,
    the high ones the pictures.

    Attributes:
        quantiles: shape (5,), its 10, 25, 50, 75 and 90 % quantiles over all patches, in [0, 1] units; NaN if no
            image is as large as a patch.
    """

    quantiles: Array

    @property
    def median(self) -> float:
        """The roughness of the middle patch."""
        return float(self.quantiles[2])

    @classmethod
    def sums(cls, pair: Pair) -> Sums:
        """The patches of one image, by their roughness."""
        if min(pair.degraded.shape[1:]) < PATCH:
            return {"patches": torch.zeros(ROUGHNESS_BINS.count, dtype=torch.float64)}
        detail = high_pass_residual(pair.degraded.detach().to("cpu", torch.float32)).double()
        spread = F.avg_pool2d(detail.square().mean(0, keepdim=True), PATCH).sqrt()
        return {
            "patches": torch.bincount(ROUGHNESS_BINS.index(spread).flatten(), minlength=ROUGHNESS_BINS.count).double()
        }

    @classmethod
    def from_sums(cls, sums: Sums) -> Self:
        """The quantiles of the counted patches."""
        return cls(ROUGHNESS_BINS.quantiles(sums["patches"].numpy(), ROUGHNESS_LEVELS))


ROUGHNESS = Measure(
    key="patch_roughness",
    name="roughness of patches",
    unit=GREY_LEVELS,
    statistic=PatchRoughness,
    value=lambda roughness: roughness.quantiles,
    comparison=Ratio("patch_roughness_ratio"),
    rows=tuple(Row(f", {round(100 * level)} %", (index,)) for index, level in enumerate(ROUGHNESS_LEVELS.tolist())),
    picture=Curves(
        file="patch_roughness.png",
        heading="Roughness of the degraded images",
        title="How rough patches of 16 x 16 pixels are",
        x=100 * ROUGHNESS_LEVELS,
        xlabel="share of patches that are smoother [%]",
        ylabel="std of the high-pass of the degraded image [grey levels]",
        xlim=(0, 100),
        logarithmic=True,
    ),
)
PATCH_ROUGHNESS = (ROUGHNESS,)
