"""The 255 bins of residuals, one grey level wide."""

import numpy as np
from torch import Tensor

from flowkit_deflow.evaluation.statistic import Array

__all__ = ["RESIDUAL_BINS", "RESIDUAL_CENTRES", "residual_bins"]

# Residuals of 8-bit images are multiples of 1/255. Bins centred on those multiples hold exactly one of them
# each, so quantisation makes no comb; 255 such bins cover [-0.5, 0.5] exactly.
RESIDUAL_BINS = 255
RESIDUAL_CENTRES: Array = (np.arange(RESIDUAL_BINS) - RESIDUAL_BINS // 2) / 255.0


def residual_bins(residual: Tensor) -> Tensor:
    """The bin of each residual: bin k covers ((k - 127) - 0.5) / 255 to ((k - 127) + 0.5) / 255.

    Residuals beyond +-0.5 count in the end bins.
    """
    return ((residual * 255).round().long() + RESIDUAL_BINS // 2).clamp(0, RESIDUAL_BINS - 1)
