"""Draws until enough of them are accepted."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["accepted"]

MOST_PROPOSALS = 2_000_000_000
"""After so many, something is wrong with the proposals."""


def accepted(propose: Callable[[int], Tensor], number: int, at_once: int) -> Tensor:
    """``number`` rows of those that a function proposes and accepts.

    Args:
        propose: makes so many proposals, and returns the accepted ones among them.
        number: how many are wanted.
        at_once: proposals made at a time.

    Raises:
        RuntimeError: hardly any proposal is accepted.
    """
    kept: list[Tensor] = []
    have = proposals = 0
    while have < number:
        if proposals >= MOST_PROPOSALS:
            raise RuntimeError(
                f"{have} of {proposals} proposals were accepted; {number} are wanted: the data lie "
                "where the simulator hardly ever puts any"
            )
        kept.append(propose(at_once))
        have, proposals = have + len(kept[-1]), proposals + at_once
    return torch.cat(kept)[:number]
