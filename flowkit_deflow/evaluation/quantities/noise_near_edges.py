"""What the noise is like near strong edges, against flat places."""

import math
from dataclasses import dataclass
from typing import Self

import torch

from flowkit_deflow.evaluation.comparison import Difference, Ratio
from flowkit_deflow.evaluation.edges import FLAT_BELOW, STRONG_FROM, steepest_nearby
from flowkit_deflow.evaluation.pair import CHANNELS, Pair
from flowkit_deflow.evaluation.quantity import Measure
from flowkit_deflow.evaluation.statistic import Statistic, Sums
from flowkit_deflow.evaluation.unit import GREY_LEVELS, PERCENT

__all__ = ["NOISE_NEAR_EDGES", "NoiseNearEdges"]

SMALLEST_PLACE = 100


@dataclass(frozen=True, eq=False)
class NoiseNearEdges(Statistic):
    """The residual within 3 pixels of strong edges (16 grey levels per pixel) and in flat places (under 4).

    All values are in [0, 1] units, over the channels together; NaN where there are under 100 pixels.

    Attributes:
        share: the share of pixels near strong edges.
        edge_std: the residual's standard deviation there.
        flat_std: its standard deviation in flat places.
        edge_bias: its mean near edges, less that in flat places.
        overshoot: the mean near edges of the residual times the sign of the clean image's high-pass: above zero,
            the bright side of an edge is brighter and the dark side darker than in the clean image, as sharpening
            does; below zero, edges are blurred; zero for noise that knows nothing of the edge.
    """

    share: float
    edge_std: float
    flat_std: float
    edge_bias: float
    overshoot: float

    @classmethod
    def sums(cls, pair: Pair) -> Sums:
        """Sums over the pixels near edges and over the flat ones."""
        slope = steepest_nearby(pair.exact_reference)
        places = torch.stack([slope >= STRONG_FROM, slope < FLAT_BELOW]).double().flatten(1)
        residual = pair.residual.flatten(1)
        outwards = residual * pair.detail.flatten(1).sign()
        return {
            "all": torch.tensor(slope.numel(), dtype=torch.float64),
            "pixels": places.sum(1),
            "residual": (residual @ places.T).sum(0),
            "squares": (residual.square() @ places.T).sum(0),
            "overshoot": (outwards @ places[0]).sum(),
        }

    @classmethod
    def from_sums(cls, sums: Sums) -> Self:
        """Normalise the sums."""
        pixels = torch.where(sums["pixels"] >= SMALLEST_PLACE, sums["pixels"], math.nan)
        mean = sums["residual"] / (CHANNELS * pixels)
        variance = (sums["squares"] / (CHANNELS * pixels) - mean.square()).clamp(min=0)
        return cls(
            share=float(sums["pixels"][0] / sums["all"]),
            edge_std=float(variance[0].sqrt()),
            flat_std=float(variance[1].sqrt()),
            edge_bias=float(mean[0] - mean[1]),
            overshoot=float(sums["overshoot"] / (CHANNELS * pixels[0])),
        )


EDGE_SHARE = Measure(
    key="edge_share",
    name="pixels near strong edges [%]",
    unit=PERCENT,
    statistic=NoiseNearEdges,
    value=lambda noise: noise.share,
)
EDGE_STD = Measure(
    key="edge_std",
    name="std near strong edges",
    unit=GREY_LEVELS,
    statistic=NoiseNearEdges,
    value=lambda noise: noise.edge_std,
    comparison=Ratio("edge_std_ratio"),
)
FLAT_STD = Measure(
    key="flat_std",
    name="std in flat places",
    unit=GREY_LEVELS,
    statistic=NoiseNearEdges,
    value=lambda noise: noise.flat_std,
    comparison=Ratio("flat_std_ratio"),
)
EDGE_BIAS = Measure(
    key="edge_bias",
    name="mean near edges less flat",
    unit=GREY_LEVELS,
    statistic=NoiseNearEdges,
    value=lambda noise: noise.edge_bias,
    comparison=Difference("edge_bias_difference"),
)
OVERSHOOT = Measure(
    key="edge_overshoot",
    name="overshoot near edges",
    unit=GREY_LEVELS,
    statistic=NoiseNearEdges,
    value=lambda noise: noise.overshoot,
    comparison=Difference("edge_overshoot_difference"),
)
NOISE_NEAR_EDGES = (EDGE_SHARE, EDGE_STD, FLAT_STD, EDGE_BIAS, OVERSHOOT)
