"""How strong each generated image's noise is against the real noise on the same clean image."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from flowkit_deflow.evaluation.by_image import by_image, of_image, shared_images
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.place import among_comparisons
from flowkit_deflow.evaluation.quantity import Relative
from flowkit_deflow.evaluation.statistic import Array, Statistic, Sums
from flowkit_deflow.evaluation.unit import PERCENT

__all__ = ["PER_IMAGE_STD", "ImageStd"]

LOWEST, HIGHEST = 0.8, 1.25


@dataclass(frozen=True, eq=False)
class ImageStd(Statistic):
    """The residual's standard deviation on each clean image that both sets show.

    Attributes:
        std: by clean image, the root of the mean over the channels of the residual's variance, in [0, 1] units.
    """

    std: Mapping[str, float]

    @classmethod
    def sums(cls, pair: Pair) -> Sums:
        """Mean squares of one image's residual."""
        samples = torch.tensor(1.0, dtype=torch.float64)
        return of_image(pair, {"variance": pair.centred.square().mean(), "samples": samples})

    @classmethod
    def from_sums(cls, sums: Sums) -> Self | None:
        """Average the samples of each clean image; None where no clean image is shared."""
        if not sums:
            return None
        totals = by_image(sums)
        return cls(
            {clean: float((total / totals["samples"][clean]).sqrt()) for clean, total in totals["variance"].items()}
        )

    def matched(self, other: Self | None) -> Self | None:
        """The clean images that the other set has as well; None if there are none."""
        std = shared_images(self.std, {} if other is None else other.std)
        return type(self)(std) if std else None


def _ratios(real: ImageStd, own: ImageStd) -> Array:
    """Generated / real by image; images without real noise are left out."""
    return np.array([own.std[clean] / std for clean, std in real.std.items() if std > 0])


def _median_ratio(real: ImageStd, own: ImageStd) -> float:
    ratios = _ratios(real, own)
    return float(np.median(ratios)) if len(ratios) else np.nan


def _share_within(real: ImageStd, own: ImageStd) -> float:
    ratios = _ratios(real, own)
    return float(np.mean((ratios >= LOWEST) & (ratios <= HIGHEST))) if len(ratios) else np.nan


MEDIAN_STD_RATIO = Relative(
    key="image_std_ratio_median",
    name="std / real's by image, median",
    statistic=ImageStd,
    value=_median_ratio,
    place=among_comparisons,
)
SHARE_WITHIN = Relative(
    key="image_std_within",
    name=f"  images within {LOWEST}..{HIGHEST} [%]",
    unit=PERCENT,
    statistic=ImageStd,
    value=_share_within,
    place=among_comparisons,
)
PER_IMAGE_STD = (MEDIAN_STD_RATIO, SHARE_WITHIN)
