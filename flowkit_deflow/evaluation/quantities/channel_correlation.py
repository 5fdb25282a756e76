"""How the noise's channels go together."""

import numpy as np

from flowkit_deflow.evaluation.comparison import Difference
from flowkit_deflow.evaluation.pair import CHANNEL_NAMES
from flowkit_deflow.evaluation.quantities.noise_level import Moments
from flowkit_deflow.evaluation.quantity import Distance, Measure, Row

__all__ = ["CHANNEL_CORRELATION", "CHANNEL_PAIR_ROWS"]

CHANNEL_PAIRS = ((0, 1), (0, 2), (1, 2))
CHANNEL_PAIR_ROWS = tuple(
    Row(f", {CHANNEL_NAMES[first]} with {CHANNEL_NAMES[second]}", (first, second)) for first, second in CHANNEL_PAIRS
)


def _largest_difference(real: Moments, other: Moments) -> float:
    differences = np.abs(other.correlation - real.correlation)
    return float(max(differences[pair] for pair in CHANNEL_PAIRS))


CORRELATION = Measure(
    key="correlation",
    name="correlation",
    statistic=Moments,
    value=lambda moments: moments.correlation,
    comparison=Difference("correlation_difference"),
    rows=CHANNEL_PAIR_ROWS,
)
CORRELATION_ERROR = Distance(
    key="channel_correlation_error",
    name="correlation, largest difference",
    statistic=Moments,
    value=_largest_difference,
)
CHANNEL_CORRELATION = (CORRELATION, CORRELATION_ERROR)
