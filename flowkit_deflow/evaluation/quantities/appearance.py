"""One figure for how far generated images look from real ones, without any clean image."""

from flowkit_deflow.evaluation.quantities.flat_patches import FLAT_CHROMA_STD, FLAT_STD
from flowkit_deflow.evaluation.quantities.patch_roughness import ROUGHNESS
from flowkit_deflow.evaluation.spread_divergence import SpreadDivergence

__all__ = ["APPEARANCE"]

# Level, grain and colour of the noise at flat places, and how much of the picture it covers.
APPEARANCE_DISTANCE = SpreadDivergence(
    key="appearance_distance",
    name="DISTANCE [nats]",
    measures=(FLAT_STD, FLAT_CHROMA_STD, ROUGHNESS),
)
APPEARANCE = (APPEARANCE_DISTANCE,)
