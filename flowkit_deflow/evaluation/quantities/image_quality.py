"""How close degraded images are to the clean ones."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from flowkit_deflow.evaluation.by_image import by_image, of_image, shared_images
from flowkit_deflow.evaluation.comparison import Difference
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.place import once_in_fidelity, with_fidelity
from flowkit_deflow.evaluation.quantity import Measure
from flowkit_deflow.evaluation.statistic import Statistic, Sums
from flowkit_deflow.evaluation.unit import COUNT, DECIBELS

__all__ = ["IMAGE_QUALITY", "ImageQuality", "psnr", "ssim"]

SMALLEST_SSIM_SIDE = 11


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio, -10 log10(mean((a - b)^2)).

    Args:
        a: 3 x H x W, in [0, 1].
        b: 3 x H x W, in [0, 1].

    Returns:
        In dB; infinity if the images are equal.

    Examples:
        >>> round(psnr(torch.zeros(3, 8, 8), torch.full((3, 8, 8), 0.1)), 3)
        20.0
    """
    return float(peak_signal_noise_ratio(a[None], b[None], data_range=1.0))


def ssim(a: Tensor, b: Tensor) -> float:
    """Structural similarity (Wang et al. 2004) with an 11 x 11 Gaussian window, the mean over the channels.

    Args:
        a: 3 x H x W, in [0, 1], both sides at least 11.
        b: 3 x H x W, in [0, 1].

    Returns:
        At most 1, which equal images reach.

    Raises:
        ValueError: a side is shorter than the window.

    Examples:
        >>> image = torch.linspace(0, 1, 3 * 16 * 16).view(3, 16, 16)
        >>> round(ssim(image, image), 4)
        1.0
    """
    if min(a.shape[-2:]) < SMALLEST_SSIM_SIDE:
        raise ValueError(f"SSIM needs sides of at least {SMALLEST_SSIM_SIDE}; the image is {tuple(a.shape)}")
    value = structural_similarity_index_measure(a[None], b[None], data_range=1.0)
    return float(value if isinstance(value, Tensor) else value[0])


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
        distance = psnr(pair.degraded, pair.reference)
        identical = math.isinf(distance)
        measured = {"psnr": 0.0 if identical else distance, "samples": 1.0, "identical": float(identical)}
        if min(pair.degraded.shape[1:]) >= SMALLEST_SSIM_SIDE:
            measured["ssim"] = ssim(pair.degraded, pair.reference)
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
