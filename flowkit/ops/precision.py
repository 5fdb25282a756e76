"""Computing in full precision where the rest of a model may not."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

__all__ = ["HALF", "at_least_float32", "without_autocast"]

HALF = (torch.bfloat16, torch.float16)
"""Types that a network may compute in, and that densities, log-determinants and matrix factors may not."""


def at_least_float32(tensor: Tensor) -> Tensor:
    """A tensor out of half precision: float32 for bfloat16 and float16, else as it is.

    Args:
        tensor: of a floating-point type and any shape.

    Returns:
        A tensor of the same values and shape.

    Examples:
        >>> at_least_float32(torch.ones(2, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return tensor.float() if tensor.dtype in HALF else tensor


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """A context in which autocast changes nothing on a device: one that turns it off, where it is on.

    Args:
        device: where the computation runs.

    Returns:
        The context manager.

    Examples:
        >>> a = torch.ones(2, 2)
        >>> with torch.autocast("cpu", dtype=torch.bfloat16), without_autocast(a.device):
        ...     (a @ a).dtype
        torch.float32
    """
    # The meta device has no autocast. To turn off what is off takes as long as a small layer.
    on = device.type != "meta" and torch.is_autocast_enabled(device.type)
    return torch.autocast(device.type, enabled=False) if on else nullcontext()
