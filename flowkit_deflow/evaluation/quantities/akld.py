"""Average KL divergence of local noise levels (AKLD)."""

from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit_deflow.evaluation.pair import CHANNELS, Pair
from flowkit_deflow.evaluation.place import comparison_of_generated
from flowkit_deflow.evaluation.quantity import Measure
from flowkit_deflow.evaluation.statistic import Statistic, Sums
from flowkit_deflow.evaluation.unit import NATS

__all__ = ["AKLD", "AverageKL", "local_variance"]

WINDOW = 7
# OpenCV's standard deviation for a window of 7, which the paper's code leaves to it.
WINDOW_SIGMA = 0.3 * ((WINDOW - 1) / 2 - 1) + 0.8
SMALLEST_VARIANCE = 1e-10
LARGEST_RATIO = 10.0


def local_variance(residual: Tensor) -> Tensor:
    """The mean square of the residual in a Gaussian window of 7 x 7 pixels (1.4 pixels wide), borders mirrored.

    Args:
        residual: 3 x H x W, both sides at least 4.

    Returns:
        3 x H x W, at least 1e-10.

    Examples:
        >>> round(float(local_variance(torch.full((3, 8, 8), 0.5))[0, 0, 0]), 4)
        0.25
    """
    offsets = torch.arange(WINDOW, dtype=residual.dtype) - WINDOW // 2
    kernel = torch.exp(-0.5 * (offsets / WINDOW_SIGMA) ** 2)
    kernel = kernel / kernel.sum()
    margin = WINDOW // 2
    padded = F.pad(residual.square()[:, None], (margin, margin, margin, margin), mode="reflect")
    mean = F.conv2d(F.conv2d(padded, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))
    return mean[:, 0].clamp(min=SMALLEST_VARIANCE)


@dataclass(frozen=True, eq=False)
class AverageKL(Statistic):
    r"""AKLD of Yue et al., "Dual Adversarial Network: Toward Real-world Noise Removal and Noise Generation", ECCV 2020.

    At each pixel and channel, generated and real noise are zero-mean Gaussians of the variance in a window around it:

    .. math:: \tfrac12 \operatorname{mean}\left(\rho - 1 - \log \rho\right), \qquad
        \rho = \operatorname{clip}(\hat\sigma^2_{generated} / \hat\sigma^2_{real},\ 0.1,\ 10),

    the mean over pixels, channels, images and samples. It has no bins. Windows hold few values: the same noise drawn
    anew does not reach zero, the less so the coarser its grain.

    Attributes:
        divergence: in nats.
    """

    divergence: float

    @classmethod
    def sums(cls, pair: Pair) -> Sums:
        """The sum over pixels, where a real image of the same clean one is known and is not too small."""
        if pair.real_residual is None or min(pair.residual.shape[1:]) <= WINDOW // 2:
            return {}
        variance_ratio = local_variance(pair.residual.float()) / local_variance(pair.real_residual.float())
        clipped = variance_ratio.clamp(1 / LARGEST_RATIO, LARGEST_RATIO)
        pixels = torch.tensor(pair.residual[0].numel(), dtype=torch.float64)
        return {"divergence": (0.5 * (clipped - 1 - clipped.log())).sum() / CHANNELS, "pixels": pixels}

    @classmethod
    def from_sums(cls, sums: Sums) -> Self | None:
        """Normalise the sum; None where no image could be compared."""
        return cls(float(sums["divergence"] / sums["pixels"])) if sums else None


AVERAGE_KL = Measure(
    key="akld",
    name="AKLD, 7 x 7 windows [nats]",
    unit=NATS,
    statistic=AverageKL,
    value=lambda akld: akld.divergence,
    place=comparison_of_generated,
)
AKLD = (AVERAGE_KL,)
