"""What each participant sees: the pairs in an order of their own, and which method is on which side."""

from typing import NamedTuple

import torch

from flowkit_deflow.images.noise import seeded_generator

__all__ = ["Showing", "sessions"]


class Showing(NamedTuple):
    """A pair of crops as one participant sees it.

    Attributes:
        pair: number of the pair.
        left: number of the method on the left, 0 or 1.
    """

    pair: int
    left: int


def sessions(pairs: int, participants: int, seed: int) -> list[list[Showing]]:
    """The sessions of all participants.

    Orders are drawn anew for each. Sides are drawn for every other participant, and the next one sees all pairs the
    other way round: of an even number of participants, each method is on the left as often as on the right.

    Args:
        pairs: number of pairs.
        participants: number of participants.
        seed: what is drawn depends on this alone.

    Returns:
        For each participant every pair once.

    Examples:
        >>> first, second = sessions(pairs=3, participants=2, seed=0)
        >>> sorted(showing.pair for showing in first)
        [0, 1, 2]
        >>> all(dict(first)[pair] != left for pair, left in second)
        True
    """
    result = []
    for participant in range(participants):
        order = torch.randperm(pairs, generator=seeded_generator(seed, "order", participant)).tolist()
        sides = torch.randint(2, (pairs,), generator=seeded_generator(seed, "sides", participant // 2)).tolist()
        result.append([Showing(pair, sides[pair] ^ participant % 2) for pair in order])
    return result
