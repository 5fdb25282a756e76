"""The list of everything that an evaluation measures, in the order of the table.

A new quantity is an entry in a file of this folder, and that entry's name here.
"""

from flowkit_deflow.evaluation.quantities.channel_correlation import CHANNEL_CORRELATION
from flowkit_deflow.evaluation.quantities.counts import COUNTS
from flowkit_deflow.evaluation.quantities.histogram import DIVERGENCE, HISTOGRAM
from flowkit_deflow.evaluation.quantities.image_quality import IMAGE_QUALITY
from flowkit_deflow.evaluation.quantities.noise_by_brightness import NOISE_BY_BRIGHTNESS
from flowkit_deflow.evaluation.quantities.noise_level import NOISE_LEVEL
from flowkit_deflow.evaluation.quantities.spatial_correlation import SPATIAL_CORRELATION
from flowkit_deflow.evaluation.quantities.spectrum import SPECTRUM
from flowkit_deflow.evaluation.quantity import Quantity

__all__ = ["QUANTITIES"]

QUANTITIES: tuple[Quantity, ...] = (
    *COUNTS,
    *NOISE_LEVEL,
    *NOISE_BY_BRIGHTNESS,
    *SPATIAL_CORRELATION,
    *CHANNEL_CORRELATION,
    *SPECTRUM,
    *HISTOGRAM,
    *DIVERGENCE,
    *IMAGE_QUALITY,
)
