"""How close degraded images are to the clean ones."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from flowkit_deflow.evaluation.by_image import by_image, of_image, shared_images
from flowkit_deflow.evaluation.comparison import Difference
from flowkit_deflow.evaluation.metrics.psnr import psnr
from flowkit_deflow.evaluation.metrics.ssim import SMALLEST_SIDE, ssim
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.place import once_in_fidelity, with_fidelity
from flowkit_deflow.evaluation.quantity import Measure
from flowkit_deflow.evaluation.statistic import Statistic, Sums
from flowkit_deflow.evaluation.unit import COUNT, DECIBELS

__all__ = ["IMAGE_QUALITY", "ImageQuality"]


@dataclass(frozen=True, eq=False)
class ImageQuality(Statistic):
    """PSNR and SSIM against the clean images that both sets have partners of.

    Several samples of one clean image are averaged first, so that each clean image weighs the same. Generated
    noise should be as far from the clean image as real noise is: a higher number is not a better one.

    Attributes:
        psnr: the mean PSNR of each clean image's partners, in dB, without those that are identical to it; infinite
            where all are.
        ssim: their mean SSIM; images with a side under 11 have none.
        identical: how many of its partners are identical to it.
    """

    psnr: Mapping[str, float]
    ssim: Mapping[str, float]
    identical: Mapping[str, float]

    @classmethod
    def sums(cls, pair: Pair) -> Sums:
        """PSNR, SSIM and the number of samples, all by the clean image."""
        if pair.clean is None:
            return {}
        degraded, reference = pair.degraded[None], pair.reference[None]
        distance = float(psnr(degraded, reference))
        identical = math.isinf(distance)
        measured = {"psnr": 0.0 if identical else distance, "samples": 1.0, "identical": float(identical)}
        if min(degraded.shape[2:]) >= SMALLEST_SIDE:
            measured["ssim"] = float(ssim(degraded, reference))
        return of_image(pair, {name: torch.tensor(value, dtype=torch.float64) for name, value in measured.items()})

    @classmethod
    def from_sums(cls, sums: Sums) -> Self | None:
        """Average the samples of each clean image; None where no clean image is shared."""
        totals = by_image(sums)
        if not totals.get("samples"):
            return None
        samples, identical = totals["samples"], totals["identical"]
        different = {clean: float(count - identical[clean]) for clean, count in samples.items()}
        return cls(
            psnr={c: float(total) / different[c] if different[c] else math.inf for c, total in totals["psnr"].items()},
            ssim={c: float(total / samples[c]) for c, total in totals.get("ssim", {}).items()},
            identical={c: float(count) for c, count in identical.items()},
        )

    def matched(self, other: Self | None) -> Self | None:
        """The clean images that the other set has partners of as well; None if there are none."""
        psnr_, ssim_, identical = (
            shared_images(values, {} if other is None else other.psnr)
            for values in (self.psnr, self.ssim, self.identical)
        )
        return type(self)(psnr=psnr_, ssim=ssim_, identical=identical) if psnr_ else None


def _mean(values: Mapping[str, float]) -> float:
    finite = [value for value in values.values() if math.isfinite(value)]
    return float(np.mean(finite)) if finite else math.nan


CLEAN_IMAGES = Measure(
    key="clean_images",
    statistic=ImageQuality,
    value=lambda quality: len(quality.psnr),
    place=once_in_fidelity,
    rows=(),
)
PSNR = Measure(
    key="psnr",
    name="PSNR against clean [dB]",
    unit=DECIBELS,
    statistic=ImageQuality,
    value=lambda quality: _mean(quality.psnr),
    comparison=Difference(),
    place=with_fidelity,
)
IDENTICAL = Measure(
    key="identical_images",
    name="identical to clean, left out of the PSNR",
    unit=COUNT,
    statistic=ImageQuality,
    value=lambda quality: sum(quality.identical.values()),
    reliable=lambda quality: np.asarray(any(quality.identical.values())),
    place=with_fidelity,
)
SSIM = Measure(
    key="ssim",
    name="SSIM against clean",
    statistic=ImageQuality,
    value=lambda quality: _mean(quality.ssim),
    comparison=Difference(),
    place=with_fidelity,
)
IMAGE_QUALITY = (CLEAN_IMAGES, PSNR, IDENTICAL, SSIM)
