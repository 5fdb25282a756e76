"""Statistics of a set of images that are sums over the images."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flowkit_deflow.evaluation.pair import Pair

__all__ = ["Array", "Statistic", "Sums", "add", "without_rounding"]

Array = NDArray[np.float64]
Sums = Mapping[str, Tensor]


class Statistic(ABC):
    """What a set of images shows, computed from sums over its images.

    Little is kept of each image, and any choice of images (a half of them, a bootstrap sample)
    is measured by adding up the sums of those images.
    """

    @classmethod
    @abstractmethod
    def sums(cls, pair: Pair) -> Sums:
        """What one image contributes; a sum that it lacks counts as zero."""

    @classmethod
    @abstractmethod
    def from_sums(cls, sums: Sums) -> Self | None:
        """The statistic of the images whose sums were added up; None if none of them shows it."""

    def matched(self, other: Self | None) -> Self | None:
        """The part that can be compared with another set: all of it, unless a statistic says otherwise.

        Args:
            other: the other set's statistic; None if it has none.

        Returns:
            The part; None if nothing is left.
        """
        return self


def add(total: Sums, sums: Sums) -> Sums:
    """Add one image's sums to a total."""
    return {**total, **{key: total[key] + value if key in total else value for key, value in sums.items()}}


def without_rounding(variance: Tensor, mean_square: Tensor) -> Tensor:
    """Set variances to zero that are only the rounding errors of their mean square.

    The variance of a constant comes out as a few rounding errors of its square, of either sign. NaN, where there
    was nothing to measure, stays NaN.
    """
    return torch.where(variance > 1e-12 * mean_square, variance, 0 * variance)
