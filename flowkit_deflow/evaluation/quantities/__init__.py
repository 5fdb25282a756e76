"""The lists of everything that an evaluation measures, in the order of the table.

A new quantity is an entry in a file of this folder, and that entry's name here.
"""

from flowkit_deflow.evaluation.quantities.akld import AKLD
from flowkit_deflow.evaluation.quantities.appearance import APPEARANCE
from flowkit_deflow.evaluation.quantities.channel_correlation import CHANNEL_CORRELATION
from flowkit_deflow.evaluation.quantities.counts import COUNTS
from flowkit_deflow.evaluation.quantities.flat_patches import FLAT_PATCHES
from flowkit_deflow.evaluation.quantities.frequency_bands import FREQUENCY_BANDS
from flowkit_deflow.evaluation.quantities.high_pass_gain import HIGH_PASS_GAIN
from flowkit_deflow.evaluation.quantities.histogram import DIVERGENCE, HISTOGRAM
from flowkit_deflow.evaluation.quantities.image_quality import IMAGE_QUALITY
from flowkit_deflow.evaluation.quantities.noise_by_brightness import NOISE_BY_BRIGHTNESS
from flowkit_deflow.evaluation.quantities.noise_by_texture import NOISE_BY_TEXTURE
from flowkit_deflow.evaluation.quantities.noise_flow_kl import NOISE_FLOW_KL
from flowkit_deflow.evaluation.quantities.noise_level import NOISE_LEVEL
from flowkit_deflow.evaluation.quantities.noise_near_edges import NOISE_NEAR_EDGES
from flowkit_deflow.evaluation.quantities.patch_roughness import PATCH_ROUGHNESS
from flowkit_deflow.evaluation.quantities.per_image_kl import PER_IMAGE_DIVERGENCE
from flowkit_deflow.evaluation.quantities.per_image_std import PER_IMAGE_STD
from flowkit_deflow.evaluation.quantities.sample_mean import SAMPLE_MEAN
from flowkit_deflow.evaluation.quantities.spatial_correlation import SPATIAL_CORRELATION
from flowkit_deflow.evaluation.quantities.spectrum import SPECTRUM
from flowkit_deflow.evaluation.quantity import Quantity

__all__ = ["QUANTITIES", "QUANTITIES_WITHOUT_PAIRS"]

QUANTITIES: tuple[Quantity, ...] = (
    *COUNTS,
    *NOISE_LEVEL,
    *PER_IMAGE_STD,
    *NOISE_BY_BRIGHTNESS,
    *NOISE_BY_TEXTURE,
    *NOISE_NEAR_EDGES,
    *SPATIAL_CORRELATION,
    *CHANNEL_CORRELATION,
    *SPECTRUM,
    *FREQUENCY_BANDS,
    *HIGH_PASS_GAIN,
    *SAMPLE_MEAN,
    *PATCH_ROUGHNESS,
    *HISTOGRAM,
    *DIVERGENCE,
    *PER_IMAGE_DIVERGENCE,
    *NOISE_FLOW_KL,
    *AKLD,
    *IMAGE_QUALITY,
)
"""What is measured of pairs: images against their clean partners."""

QUANTITIES_WITHOUT_PAIRS: tuple[Quantity, ...] = (
    *COUNTS,
    *FLAT_PATCHES,
    *PATCH_ROUGHNESS,
    *APPEARANCE,
    *NOISE_LEVEL,
    *NOISE_BY_BRIGHTNESS,
    *SPATIAL_CORRELATION,
    *CHANNEL_CORRELATION,
    *SPECTRUM,
    *HISTOGRAM,
    *DIVERGENCE,
)
"""What is measured of images without clean partners."""
