"""Sixteen equal bins of brightness, which noise is measured in."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.statistic import Array

__all__ = ["BRIGHTNESS_BINS", "BRIGHTNESS_CENTRES", "brightness_bins", "enough_pixels"]

BRIGHTNESS_BINS = 16
BRIGHTNESS_CENTRES: Array = (np.arange(BRIGHTNESS_BINS) + 0.5) / BRIGHTNESS_BINS
MINIMUM_BIN_PIXELS = 100


def brightness_bins(pair: Pair) -> Tensor:
    """Shape (H W,): the bin of each pixel's brightness, the mean of the reference over the channels.

    Brightnesses outside [0, 1] count in the end bins.
    """
    return (pair.exact_reference.mean(0) * BRIGHTNESS_BINS).long().clamp(0, BRIGHTNESS_BINS - 1).flatten()


def enough_pixels(pixels: Array) -> NDArray[np.bool_]:
    """Whether a bin has the pixels (100) for its spread or histogram to mean something."""
    return np.asarray(pixels >= MINIMUM_BIN_PIXELS)
