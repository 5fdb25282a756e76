"""The order in memory in which convolutions are fastest."""

import torch
from torch import Tensor

from flowkit.ops.private import is_wrapped

__all__ = ["channels_last"]


def channels_last(x: Tensor) -> Tensor:
    """The same image with its pixels' channels side by side in memory, as convolutions want it on CPU and GPU.

    Args:
        x: ``batch x C x H x W``.

    Returns:
        The same values; ``x`` itself where it is so already, or where ``torch.func`` has wrapped it: its transforms
        know one memory format only.

    Examples:
        >>> channels_last(torch.rand(2, 3, 4, 5)).stride()
        (60, 1, 15, 3)
    """
    if not torch.compiler.is_compiling() and is_wrapped(x):
        return x
    return x.contiguous(memory_format=torch.channels_last)
