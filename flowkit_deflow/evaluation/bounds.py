"""What figures without pairs are to be read between: a floor that does nothing, and a ceiling that is real."""

from dataclasses import replace

import numpy as np

from flowkit_deflow.evaluation.block_sums import BlockSums
from flowkit_deflow.evaluation.image_set import ImageSet

__all__ = ["ceiling", "floor"]

SEED = 0


def floor(clean: BlockSums) -> ImageSet:
    """The clean images as if they had been generated: a figure that does not tell them from real ones tells nothing."""
    return replace(clean.measured("floor"), name="clean")


def ceiling(real: BlockSums) -> ImageSet | None:
    """A random half of the real images, compared with the other half; None for a single image.

    No generated image can be expected to be closer to the real ones than these, and with twice as many of them: the
    halves' distance is what scenes alone make.
    """
    blocks = real.blocks
    if len(blocks) < 2:
        return None
    order = np.random.default_rng(SEED).permutation(len(blocks))
    chosen = {blocks[index] for index in order[: len(blocks) // 2]}
    half, other = (
        real.measured("ceiling", {block: float((block in chosen) is inside) for block in blocks})
        for inside in (True, False)
    )
    return replace(half, name="half of real", counterpart=other)
