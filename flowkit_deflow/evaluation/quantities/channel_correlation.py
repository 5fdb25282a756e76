"""How the noise's channels go together."""

from flowkit_deflow.evaluation.comparison import Difference
from flowkit_deflow.evaluation.pair import CHANNEL_NAMES
from flowkit_deflow.evaluation.quantities.noise_level import Moments
from flowkit_deflow.evaluation.quantity import Measure, Row

__all__ = ["CHANNEL_CORRELATION"]

CORRELATION = Measure(
    key="correlation",
    name="correlation",
    statistic=Moments,
    value=lambda moments: moments.correlation,
    comparison=Difference(),
    rows=tuple(
        Row(f", {CHANNEL_NAMES[first]} with {CHANNEL_NAMES[second]}", (first, second))
        for first, second in ((0, 1), (0, 2), (1, 2))
    ),
)
CHANNEL_CORRELATION = (CORRELATION,)
