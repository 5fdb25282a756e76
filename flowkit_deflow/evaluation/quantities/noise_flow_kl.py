"""The marginal KL divergence of Noise Flow and NeCA."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from flowkit_deflow.evaluation.by_image import by_image, of_image, shared_images
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantity import Distance
from flowkit_deflow.evaluation.statistic import Array, Statistic, Sums
from flowkit_deflow.evaluation.unit import NATS

__all__ = ["NOISE_FLOW_KL", "CoarseImageHistograms", "noise_flow_kl"]

# 64 bins over [-0.1, 0.1], and one for what lies beyond on each side.
INNER_EDGES = torch.linspace(-0.1, 0.1, 65, dtype=torch.float64)


@dataclass(frozen=True, eq=False)
class CoarseImageHistograms(Statistic):
    """Pixel counts of each clean image over Noise Flow's bins of the residual, all channels together.

    Attributes:
        counts: shape (66,) by clean image.
    """

    counts: Mapping[str, Array]

    @classmethod
    def sums(cls, pair: Pair) -> Sums:
        """The counts of one image."""
        # Half-open bins [edge, edge), as numpy's histogram has them.
        bins = torch.bucketize(pair.residual.flatten(), INNER_EDGES, right=True)
        return of_image(pair, {"counts": torch.bincount(bins, minlength=len(INNER_EDGES) + 1).double()})

    @classmethod
    def from_sums(cls, sums: Sums) -> Self | None:
        """The counts as they are; None where no clean image is shared."""
        return cls({clean: counts.numpy() for clean, counts in by_image(sums)["counts"].items()}) if sums else None

    def matched(self, other: Self | None) -> Self | None:
        """The clean images that the other set has as well; None if there are none."""
        counts = shared_images(self.counts, {} if other is None else other.counts)
        return type(self)(counts) if counts else None


def noise_flow_kl(real: CoarseImageHistograms, other: CoarseImageHistograms) -> float:
    r"""The marginal divergence of Abdelhamed, Brubaker and Brown, "Noise Flow", ICCV 2019, by image.

    .. math:: \operatorname{mean}_i \sum_{k:\, p_{ik} > 0,\, q_{ik} > 0} p_{ik} \log \frac{p_{ik}}{q_{ik}}

    with p the real and q the other noise of image i in 64 bins over [-0.1, 0.1] and two for the tails. A bin that one
    side left empty costs nothing, so this can fall below zero, and 8-bit residuals (steps of 1/255, bins of 0.8 of
    that) leave every fifth bin empty. It is here to be compared with published figures; prefer the other divergences.

    NeCA (Fu, Guo and Wen, "sRGB Real Noise Synthesizing with Neighboring Correlation-Aware Noise Model", CVPR 2023) has
    the same divergence in the same bins, of one generated image for each clean one, cut to [0, 1] and rounded to 8
    bits: what this is of image files of 8 bits with one sample.

    Args:
        real: the real images.
        other: images of the same clean images.

    Returns:
        In nats.
    """
    divergences = []
    for clean, counts in real.counts.items():
        p, q = counts / counts.sum(), other.counts[clean] / other.counts[clean].sum()
        both = (p > 0) & (q > 0)
        divergences.append(float((p[both] * np.log(p[both] / q[both])).sum()))
    return float(np.mean(divergences))


COARSE_KL = Distance(
    key="noise_flow_kl",
    name="Noise Flow's and NeCA's KL, 64 bins",
    unit=NATS,
    statistic=CoarseImageHistograms,
    value=noise_flow_kl,
)
NOISE_FLOW_KL = (COARSE_KL,)
