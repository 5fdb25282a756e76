"""What in an evaluation calls for a second look."""

import itertools
from collections.abc import Iterator

import numpy as np

from flowkit_deflow.evaluation.image_set import ImageSet, ImageSets
from flowkit_deflow.evaluation.pair import CHANNEL_NAMES
from flowkit_deflow.evaluation.quantities.histogram import ResidualHistogram
from flowkit_deflow.evaluation.quantities.patch_roughness import PatchRoughness
from flowkit_deflow.evaluation.residual_bins import RESIDUAL_BINS
from flowkit_deflow.evaluation.statistic import Array

__all__ = ["cautions"]

LARGEST_ROUGHNESS_RATIO = 1.5
# Beside this many pixels, an empty bin is no accident: noise has no holes.
FULL_BIN = 100
# Wider ones lie between different kinds of images, not between the steps of a rounded one.
WIDEST_HOLE = 8


def cautions(sets: ImageSets) -> Iterator[str]:
    """A sentence for each sign that the figures or the images are not what they seem.

    Args:
        sets: what was measured.

    Returns:
        The sentences: generated patches rougher or smoother than real ones by over 1.5 in the median, and residuals
        that never take values in the midst of those that they do take.
    """
    yield from _roughness(sets)
    for images in (sets.real, sets.generated):
        yield from _empty_bins(images)


def _roughness(sets: ImageSets) -> Iterator[str]:
    real, generated = sets.real.get(PatchRoughness), sets.generated.get(PatchRoughness)
    if real is None or generated is None or not (real.median > 0 and generated.median > 0):
        return
    ratio = generated.median / real.median
    if max(ratio, 1 / ratio) > LARGEST_ROUGHNESS_RATIO:
        amount, way, remedy = (
            (ratio, "rougher", "a lower temperature") if ratio > 1 else (1 / ratio, "smoother", "a higher temperature")
        )
        yield (
            f"generated patches are {amount:.2f} times {way} than real ones in the median; if both sets show similar "
            f"scenes, the noise is wrong: look at flat places, and try {remedy}"
        )


def _empty_bins(images: ImageSet) -> Iterator[str]:
    histogram = images.get(ResidualHistogram)
    if histogram is None:
        return
    for name, counts in zip(CHANNEL_NAMES, histogram.counts, strict=True):
        empty = _holes(counts)
        if len(empty):
            shown = ", ".join(f"{level:+d}" for level in empty[:5] - RESIDUAL_BINS // 2)
            more = f" and {len(empty) - 5} more" if len(empty) > 5 else ""
            yield (
                f"the residuals of the {images.name} images never are {shown}{more} grey levels ({name}) where their "
                "neighbours are common: were images scaled and rounded again? Divergences are too large there"
            )
            return


def _holes(counts: Array) -> Array:
    """Empty bins whose nearest filled bins on both sides are full."""
    filled = np.flatnonzero(counts)
    holes: list[int] = []
    for low, high in itertools.pairwise(filled):
        if high - low <= WIDEST_HOLE and min(counts[low], counts[high]) >= FULL_BIN:
            holes.extend(range(int(low) + 1, int(high)))
    return np.array(holes, dtype=np.int64)
