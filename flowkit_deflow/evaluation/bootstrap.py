"""How uncertain an evaluation is: bootstrap intervals over images."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from flowkit_deflow.evaluation.block_sums import Block, BlockSums
from flowkit_deflow.evaluation.image_set import ImageSet, ImageSets
from flowkit_deflow.evaluation.quantity import Quantity
from flowkit_deflow.evaluation.statistic import Statistic

__all__ = ["LEVEL", "Interval", "bootstrap_intervals"]

Interval = tuple[float, float]
Compare = Callable[[ImageSet, ImageSet], ImageSets]

LEVEL = 0.95
SAMPLES = 500
SEED = 0
# The spread of four images says next to nothing of the spread of all.
FEWEST_BLOCKS = 5


def bootstrap_intervals(
    real: BlockSums,
    generated: BlockSums,
    quantities: Sequence[Quantity],
    kinds: Sequence[type[Statistic]],
    compare: Compare,
) -> Mapping[str, Interval]:
    """Percentile intervals of the comparisons, for other images of the same kind.

    Images are drawn with replacement, 500 times with the same seed; a scene is drawn with all of its samples, and in
    both sets at once where both show it. Of more than a hundred scenes, blocks of scenes are drawn. Reference: Efron
    and Tibshirani, "An Introduction to the Bootstrap", 1993, sec. 13.3.

    Args:
        real: the real images.
        generated: the generated ones.
        quantities: those whose intervals are wanted.
        kinds: further statistics that `compare` needs.
        compare: puts the two sets side by side, with the baselines that the quantities need.

    Returns:
        The ends of the 95 % interval by the comparison's name in the JSON; nothing for under five images in a set.
    """
    wanted = [quantity for quantity in quantities if quantity.interval]
    if not wanted or min(len(real.blocks), len(generated.blocks)) < FEWEST_BLOCKS:
        return {}
    needed = list(dict.fromkeys([*kinds, *(kind for quantity in wanted for kind in quantity.needs)]))
    values: dict[str, list[float]] = defaultdict(list)
    for weights in _weights([*real.blocks, *generated.blocks]):
        sets = compare(real.measured("real", weights, needed), generated.measured("generated", weights, needed))
        for quantity in wanted:
            for (group, key), value in quantity.recorded(sets):
                if group == "comparison" and np.ndim(value) == 0:
                    values[key].append(float(value))
    ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    return {key: _interval(drawn, ends) for key, drawn in values.items()}


def _interval(drawn: list[float], ends: list[float]) -> Interval:
    low, high = np.quantile(drawn, ends)
    return float(low), float(high)


def _weights(blocks: Sequence[Block]) -> Iterator[Mapping[Block, float]]:
    """How often each block is drawn, as many as there are from each stratum."""
    strata: dict[str, list[Block]] = defaultdict(list)
    for block in dict.fromkeys(blocks):
        strata[block.stratum].append(block)
    random = np.random.default_rng(SEED)
    for _ in range(SAMPLES):
        weights: dict[Block, float] = {}
        for members in strata.values():
            drawn = random.multinomial(len(members), np.full(len(members), 1 / len(members)))
            weights.update(zip(members, drawn.astype(np.float64).tolist(), strict=True))
        yield weights
