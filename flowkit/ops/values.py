"""Whether Python code may look at the numbers of a tensor."""

import torch
from torch import Tensor

from flowkit.ops.private import is_wrapped

__all__ = ["readable", "require_values"]


def readable(tensor: Tensor) -> bool:
    """Whether a branch in Python may depend on the values of a tensor.

    It may not in compiled code, where it would break the graph, under the transforms of ``torch.func``, which refuse
    it, and on the meta device, where there are no values.

    Args:
        tensor: of any shape.

    Returns:
        True if they can be read.

    Examples:
        >>> readable(torch.ones(3)), readable(torch.ones(3, device="meta"))
        (True, False)
    """
    return not (torch.compiler.is_compiling() or tensor.is_meta or is_wrapped(tensor))


def require_values(what: str, tensor: Tensor) -> None:
    """Refuse a tensor on the meta device where a layer is made from its values.

    Args:
        what: the tensor is, for the message.
        tensor: of any shape.

    Raises:
        ValueError: it has no values.

    Examples:
        >>> require_values("a mask", torch.ones(3))
    """
    if tensor.is_meta:
        raise ValueError(
            f"{what} of shape {tuple(tensor.shape)} is on the meta device, where it has no values; make it with "
            "device='cpu', also for a model that is made on the meta device"
        )
