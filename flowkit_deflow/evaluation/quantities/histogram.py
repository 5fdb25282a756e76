"""How the noise is distributed, and how far one set's distribution is from another's."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from flowkit_deflow.evaluation.brightness_bins import BRIGHTNESS_BINS, brightness_bins, enough_pixels
from flowkit_deflow.evaluation.divergence import conditional_kl, kl_divergence
from flowkit_deflow.evaluation.image_set import ImageSets
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.picture import ChannelHistograms
from flowkit_deflow.evaluation.place import comparison_of_generated
from flowkit_deflow.evaluation.quantity import Distance, Measure, Share
from flowkit_deflow.evaluation.residual_bins import RESIDUAL_BINS, RESIDUAL_CENTRES, residual_bins
from flowkit_deflow.evaluation.statistic import Array, Statistic, Sums
from flowkit_deflow.evaluation.unit import NATS

__all__ = ["DIVERGENCE", "HISTOGRAM", "ResidualHistogram", "shared_brightness"]


@dataclass(frozen=True, eq=False)
class ResidualHistogram(Statistic):
    """Pixel counts over the residual, channel and brightness.

    Attributes:
        brightness_pixels: shape (16,), pixels in each bin of brightness.
        joint: shape (3, 16, 255), pixel counts over channel, brightness, and residual. Bin k covers
            ((k - 127) - 0.5) / 255 to ((k - 127) + 0.5) / 255; residuals beyond +-0.5 count in the end bins.
    """

    brightness_pixels: Array
    joint: Array

    @property
    def counts(self) -> Array:
        """Shape (3, 255): pixel counts over channel and residual."""
        return np.asarray(self.joint.sum(axis=1), dtype=np.float64)

    @classmethod
    def sums(cls, pair: Pair) -> Sums:
        """The counts of one image."""
        bins = brightness_bins(pair)
        counts = [
            torch.bincount(bins * RESIDUAL_BINS + level, minlength=BRIGHTNESS_BINS * RESIDUAL_BINS)
            for level in residual_bins(pair.residual.flatten(1))
        ]
        return {
            "brightness_pixels": torch.bincount(bins, minlength=BRIGHTNESS_BINS).double(),
            "joint": torch.stack(counts).view(-1, BRIGHTNESS_BINS, RESIDUAL_BINS).double(),
        }

    @classmethod
    def from_sums(cls, sums: Sums) -> Self:
        """The counts as they are."""
        return cls(brightness_pixels=sums["brightness_pixels"].numpy(), joint=sums["joint"].numpy())


def shared_brightness(real: ResidualHistogram, other: ResidualHistogram) -> NDArray[np.bool_]:
    """Shape (16,): the bins of brightness in which both sets have enough pixels (100) for a histogram.

    Args:
        real: one set.
        other: the other.

    Returns:
        True where both have enough.
    """
    return enough_pixels(np.minimum(real.brightness_pixels, other.brightness_pixels))


def _share_of_pixels(real: ResidualHistogram, other: ResidualHistogram) -> float:
    return float(real.brightness_pixels[shared_brightness(real, other)].sum() / real.brightness_pixels.sum())


def _kl(real: ResidualHistogram, other: ResidualHistogram) -> float:
    return kl_divergence(real.counts, other.counts)


def _kl_given_brightness(real: ResidualHistogram, other: ResidualHistogram) -> float:
    return conditional_kl(real.joint, other.joint, shared_brightness(real, other))


def _compared_pixels(sets: ImageSets) -> str:
    share = _share_of_pixels(sets.real[ResidualHistogram], sets.generated[ResidualHistogram])
    return f" ({100 * share:.0f}% of pixels)"


def _divergences(sets: ImageSets) -> str:
    others = [images for images in sets.columns[1:] if KL.of(images, sets) is not None]
    return ", ".join(f"KL(real || {images.name}) {KL.of(images, sets):.4f} nats" for images in others)


KL = Distance(key="kl", name="KL(real || .) [nats]", unit=NATS, statistic=ResidualHistogram, value=_kl)
CONDITIONAL_KL = Distance(
    key="conditional_kl",
    name="  given brightness",
    unit=NATS,
    statistic=ResidualHistogram,
    value=_kl_given_brightness,
    note=_compared_pixels,
)
KL_SHARE = Share(key="kl_ratio", name="KL as a share of white's", distance=KL, interval=True)
CONDITIONAL_KL_SHARE = Share(
    key="conditional_kl_ratio", name="  given brightness", distance=CONDITIONAL_KL, interval=True
)
SHARED_BRIGHTNESS = Distance(
    key="shared_brightness",
    statistic=ResidualHistogram,
    value=_share_of_pixels,
    place=comparison_of_generated,
    rows=(),
)
DIVERGENCE = (KL, CONDITIONAL_KL, KL_SHARE, CONDITIONAL_KL_SHARE, SHARED_BRIGHTNESS)

COUNTS_BY_RESIDUAL = Measure(
    key="histogram",
    statistic=ResidualHistogram,
    value=lambda histogram: histogram.counts,
    rows=(),
    picture=ChannelHistograms(
        file="histogram.png",
        heading="Histogram of the noise",
        title="Distribution of the noise",
        x=255 * RESIDUAL_CENTRES,
        xlabel="{residual} [grey levels]",
        remark=_divergences,
    ),
)
HISTOGRAM = (COUNTS_BY_RESIDUAL,)
