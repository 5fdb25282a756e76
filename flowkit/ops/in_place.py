"""What follows a convolution, in place where nothing records it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.ops.private import transforms_are_active

__all__ = ["added", "rectified"]


def added(y: Tensor, other: Tensor) -> Tensor:
    """``y + other``, where nothing else needs ``y``.

    Args:
        y: a new result.
        other: what broadcasts to it, or has more samples.

    Examples:
        >>> added(torch.ones(1, 2), torch.ones(3, 1)).shape
        torch.Size([3, 2])
    """
    fits = y.dtype == other.dtype and torch.broadcast_shapes(y.shape, other.shape) == y.shape
    return y.add_(other) if fits and _unrecorded() else y + other


def rectified(y: Tensor) -> Tensor:
    """The ReLU of ``y``, where nothing else needs it.

    Examples:
        >>> rectified(torch.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    return F.relu(y, inplace=_unrecorded())


def _unrecorded() -> bool:
    # torch.func may add a mapped tensor to one that is not, which cannot hold the result.
    return not (torch.is_grad_enabled() or torch.compiler.is_compiling() or transforms_are_active())
