"""Sums of a set of images, kept in blocks of images.

From the blocks any part of the set is measured without reading it again: a half of it, or a bootstrap sample.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from flowkit_deflow.evaluation.image_set import ImageSet
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.statistic import Statistic, Sums, add

__all__ = ["MOST_BLOCKS", "Block", "BlockSums", "dealt_out"]

# Enough for the spread over images; a hundred of them bound the memory, a quarter of a megabyte each.
MOST_BLOCKS = 100


class Block(NamedTuple):
    """Some images of a set. All samples of a clean image, generated and real, are in one block.

    Attributes:
        stratum: which sets show the block's clean images.
        number: from 0; images are dealt out in turn to at most `MOST_BLOCKS`.
    """

    stratum: str
    number: int


def dealt_out(real: Iterable[str], generated: Iterable[str]) -> dict[str, Block]:
    """The block of each scene.

    Args:
        real: the scenes that real images show.
        generated: those that generated images show.

    Returns:
        The blocks; scenes of both sets, of the real one alone and of the generated one alone are in different strata.

    Examples:
        >>> dealt_out(["a", "b"], ["b"])["b"]
        Block(stratum='both', number=0)
    """
    in_real, in_generated = dict.fromkeys(real), dict.fromkeys(generated)
    strata = {
        "both": [scene for scene in in_real if scene in in_generated],
        "real": [scene for scene in in_real if scene not in in_generated],
        "generated": [scene for scene in in_generated if scene not in in_real],
    }
    return {
        scene: Block(stratum, index % MOST_BLOCKS)
        for stratum, scenes in strata.items()
        for index, scene in enumerate(scenes)
    }


class BlockSums:
    """The sums of each block, for several kinds of statistics.

    Args:
        kinds: the statistics.
    """

    def __init__(self, kinds: Sequence[type[Statistic]]) -> None:
        self.kinds = tuple(kinds)
        self._sums: dict[Block, dict[type[Statistic], Sums]] = {}
        self._stacked: dict[type[Statistic], _StackedSums] = {}

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks that hold images."""
        return tuple(self._sums)

    def add(self, pair: Pair, block: Block) -> None:
        """Measure an image, and add it to its block."""
        totals = self._sums.setdefault(block, {kind: {} for kind in self.kinds})
        self._sums[block] = {kind: add(totals[kind], kind.sums(pair)) for kind in self.kinds}
        self._stacked.clear()

    def measured(
        self, name: str, weights: Mapping[Block, float] | None = None, kinds: Sequence[type[Statistic]] | None = None
    ) -> ImageSet:
        """The set of images, or a part of it.

        Args:
            name: what the set is called.
            weights: how often each block counts; a block that is missing does not. None counts each block once.
            kinds: the statistics to compute; None for all.

        Returns:
            The set with its statistics.

        Raises:
            ValueError: there are no images.
        """
        if not self._sums:
            raise ValueError("no image was given: statistics need at least one")
        counted = [1.0 if weights is None else float(weights.get(block, 0)) for block in self._sums]
        statistics: dict[type[Statistic], Statistic] = {}
        for kind in self.kinds if kinds is None else kinds:
            statistic = kind.from_sums(self._stack(kind).total(torch.tensor(counted, dtype=torch.float64)))
            if statistic is not None:
                statistics[kind] = statistic
        return ImageSet(name, name, statistics)

    def _stack(self, kind: type[Statistic]) -> "_StackedSums":
        if kind not in self._stacked:
            self._stacked[kind] = _StackedSums([sums[kind] for sums in self._sums.values()])
        return self._stacked[kind]


class _StackedSums:
    """The sums of one statistic, stacked over the blocks that have them: a weighted total is a product."""

    def __init__(self, blocks: Sequence[Sums]) -> None:
        holders: dict[str, list[int]] = defaultdict(list)
        for index, sums in enumerate(blocks):
            for key in sums:
                holders[key].append(index)
        self._stacks: dict[str, tuple[Tensor, Tensor]] = {
            key: (torch.tensor(indices), torch.stack([blocks[index][key].double() for index in indices]))
            for key, indices in holders.items()
        }

    def total(self, weights: Tensor) -> Sums:
        """The total over the blocks; sums of blocks that all weigh nothing are left out."""
        totals: dict[str, Tensor] = {}
        for key, (indices, values) in self._stacks.items():
            own = weights[indices]
            if bool((own != 0).any()):
                totals[key] = torch.tensordot(own, values, dims=1)
        return totals
