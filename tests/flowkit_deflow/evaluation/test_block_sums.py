import numpy as np
import pytest

from flowkit_deflow.evaluation.block_sums import MOST_BLOCKS, Block, BlockSums, dealt_out
from flowkit_deflow.evaluation.measurement import measure
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantities.counts import Counts
from flowkit_deflow.evaluation.quantities.noise_level import Moments
from tests.flowkit_deflow.evaluation.residuals import grey, white_noise


def test_a_part_of_the_blocks_is_what_its_images_are() -> None:
    pairs = [Pair(0.5 + 0.1 * white_noise(3, 8, 8, seed=seed), grey(3, 8, 8)) for seed in range(3)]
    sums = BlockSums([Moments, Counts])
    for number, pair in enumerate(pairs):
        sums.add(pair, Block("real", number))
    part = sums.measured("part", {Block("real", 0): 2, Block("real", 2): 1})
    alone = measure([pairs[0], pairs[0], pairs[2]], [Moments, Counts])
    np.testing.assert_allclose(part[Moments].std, alone[Moments].std, rtol=1e-12)
    assert part[Counts].images == 3
    # Adding another image afterwards is seen.
    sums.add(pairs[1], Block("real", 1))
    assert sums.measured("all")[Counts].images == 4


def test_scenes_are_dealt_out_to_at_most_a_hundred_blocks_by_which_sets_show_them() -> None:
    real, generated = [f"r{i}" for i in range(250)] + ["shared"], ["shared", "g"]
    blocks = dealt_out(real, generated)
    assert blocks["shared"].stratum == "both"
    assert blocks["g"].stratum == "generated"
    sizes = np.bincount([blocks[scene].number for scene in real if scene != "shared"])
    assert len(sizes) == MOST_BLOCKS
    assert sizes.max() - sizes.min() <= 1


def test_nothing_cannot_be_measured() -> None:
    with pytest.raises(ValueError, match="no image"):
        BlockSums([Moments]).measured("empty")
