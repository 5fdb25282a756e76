"""Narrow bins of equal ratio, from which quantiles of a stream follow."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from flowkit_deflow.evaluation.statistic import Array

__all__ = ["LogBins"]


@dataclass(frozen=True)
class LogBins:
    """Bins that are equally wide on a logarithmic scale; the end bins take what lies beyond.

    Attributes:
        lowest: the lower edge of the first bin.
        octaves: how many doublings the bins span.
        per_octave: bins to a doubling.

    Examples:
        >>> import torch
        >>> bins = LogBins(lowest=1.0, octaves=3, per_octave=1)
        >>> bins.index(torch.tensor([0.0, 1.5, 2.5, 100.0])).tolist()
        [0, 0, 1, 2]
    """

    lowest: float
    octaves: int
    per_octave: int

    @property
    def count(self) -> int:
        """The number of bins."""
        return self.octaves * self.per_octave

    @property
    def edges(self) -> Array:
        """Shape (count + 1,): the edges of the bins."""
        return np.asarray(self.lowest * 2.0 ** (np.arange(self.count + 1) / self.per_octave))

    def index(self, values: Tensor) -> Tensor:
        """The bin of each value, at least zero."""
        octave = (values / self.lowest).clamp(min=1e-12).log2()
        return (octave * self.per_octave).floor().long().clamp(0, self.count - 1)

    def quantiles(self, counts: Array, levels: Array) -> Array:
        """Quantiles of the counted values, interpolated within a bin on the logarithmic scale.

        Args:
            counts: shape (count,), values in each bin.
            levels: shape (N,), in [0, 1].

        Returns:
            Shape (N,); NaN if nothing was counted.

        Examples:
            >>> bins = LogBins(lowest=1.0, octaves=2, per_octave=1)
            >>> bins.quantiles(np.array([10.0, 10.0]), np.array([0.5, 0.75])).round(3).tolist()
            [2.0, 2.828]
        """
        total = counts.sum()
        if total == 0:
            return np.full(len(levels), np.nan)
        below = np.concatenate([[0.0], np.cumsum(counts)]) / total
        return np.exp2(np.interp(levels, below, np.log2(self.edges)))

    def groups(self, counts: Array, number: int) -> NDArray[np.int64]:
        """Which of `number` groups of equally many values each bin belongs to: quintiles for 5.

        Args:
            counts: shape (count,), values in each bin.
            number: how many groups.

        Returns:
            Shape (count,), 0 for the bins of the smallest values, to `number` - 1. A bin goes as a whole where its
            middle value does.

        Examples:
            >>> LogBins(lowest=1.0, octaves=4, per_octave=1).groups(np.array([2.0, 2.0, 1.0, 3.0]), 2).tolist()
            [0, 0, 1, 1]
        """
        middle = (np.cumsum(counts) - counts / 2) / max(float(counts.sum()), 1.0)
        return np.clip((number * middle).astype(np.int64), 0, number - 1)
