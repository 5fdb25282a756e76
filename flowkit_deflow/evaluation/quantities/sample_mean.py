"""What all samples of a clean image have in common: the part of the degradation that is no noise."""

from dataclasses import dataclass
from typing import Self

import torch

from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantity import Measure
from flowkit_deflow.evaluation.statistic import Statistic, Sums
from flowkit_deflow.evaluation.unit import GREY_LEVELS, PERCENT

__all__ = ["SAMPLE_MEAN", "SampleMean"]


@dataclass(frozen=True, eq=False)
class SampleMean(Statistic):
    r"""The residual that remains in the mean of ever more samples of a clean image.

    Of samples :math:`r_s = m + e_s` with independent noise e, the mean of n of them has the variance
    :math:`E m^2 + E e^2 / n`. Products of different samples have no such remainder:

    .. math:: E m^2 = \frac{2}{n (n - 1)} \sum_{s < t} \overline{r_s r_t}

    is the limit for n to infinity, from as few as two samples, each less its mean in each channel.

    Attributes:
        std: its root, in [0, 1] units; zero where noise makes the estimate negative.
        share: :math:`E m^2` as a share of the samples' variance.
    """

    std: float
    share: float

    @classmethod
    def sums(cls, pair: Pair) -> Sums:
        """Products with the earlier samples of the same clean image; nothing for the first of them."""
        sums = {
            "squares": pair.centred.square().sum(),
            "values": torch.tensor(pair.centred.numel(), dtype=torch.float64),
        }
        if pair.earlier is not None:
            sums["products"] = (pair.centred * pair.earlier.total).sum()
            sums["pairs"] = pair.earlier.count * sums["values"]
        return sums

    @classmethod
    def from_sums(cls, sums: Sums) -> Self | None:
        """Normalise the sums; None where no clean image has two samples."""
        if "pairs" not in sums:
            return None
        common = (sums["products"] / sums["pairs"]).clamp(min=0)
        return cls(std=float(common.sqrt()), share=float(common / (sums["squares"] / sums["values"])))


STD_OF_MEAN = Measure(
    key="sample_mean_std",
    name="std of the mean of all samples",
    unit=GREY_LEVELS,
    statistic=SampleMean,
    value=lambda mean: mean.std,
)
SHARE_OF_MEAN = Measure(
    key="sample_mean_share",
    name="  share of the variance [%]",
    unit=PERCENT,
    statistic=SampleMean,
    value=lambda mean: mean.share,
)
SAMPLE_MEAN = (STD_OF_MEAN, SHARE_OF_MEAN)
