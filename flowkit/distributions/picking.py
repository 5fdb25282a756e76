"""Picking one of several samples for each entry of a batch."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["pick"]


def pick(samples: Sequence[Any], which: Tensor) -> Any:
    """Pick one of several samples for each entry of a batch.

    Args:
        samples: tensors ``batch x event``, all of one shape, or tuples of such.
        which: the index of the sample to pick, ``batch`` integers.

    Returns:
        A tensor ``batch x event``, or a tuple of such.

    Examples:
        >>> pick([torch.zeros(3, 1), torch.ones(3, 1)], torch.tensor([1, 0, 1])).flatten()
        tensor([1., 0., 1.])
    """
    if isinstance(samples[0], tuple):
        return tuple(pick(parts, which) for parts in zip(*samples, strict=True))
    stacked = torch.stack(list(samples))
    which = which.to(stacked.device, torch.int64)
    return stacked[which, torch.arange(len(which), device=stacked.device)]
