"""How far the residual is the picture's own detail: sharpening, or blurring."""

import math
from dataclasses import dataclass
from typing import Self

from flowkit_deflow.evaluation.comparison import Difference
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantity import Measure
from flowkit_deflow.evaluation.statistic import Statistic, Sums

__all__ = ["HIGH_PASS_GAIN", "HighPassGain"]


@dataclass(frozen=True, eq=False)
class HighPassGain(Statistic):
    r"""The regression of the residual on the clean image's own high-pass.

    .. math:: g = \frac{\sum r d}{\sum d^2}, \qquad d = x - G_{1.5} * x,

    the sums over pixels and channels, r the residual, x the clean image and G the Gaussian of 1.5 pixels. Sharpening by
    (1 + g) gives g; noise that is independent of the picture gives 0; denoising and compression, which take detail
    away, give less than 0.

    Attributes:
        gain: g; NaN if the clean images have no detail.
    """

    gain: float

    @classmethod
    def sums(cls, pair: Pair) -> Sums:
        """The products of the residual with the high-pass, and its squares."""
        return {"products": (pair.residual * pair.detail).sum(), "squares": pair.detail.square().sum()}

    @classmethod
    def from_sums(cls, sums: Sums) -> Self:
        """Divide the sums."""
        return cls(float(sums["products"] / sums["squares"]) if sums["squares"] > 0 else math.nan)


GAIN = Measure(
    key="high_pass_gain",
    name="gain on the clean high-pass",
    statistic=HighPassGain,
    value=lambda regression: regression.gain,
    comparison=Difference("high_pass_gain_difference"),
    interval=True,
)
HIGH_PASS_GAIN = (GAIN,)
