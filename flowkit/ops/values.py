"""Whether Python code may look at the numbers of a tensor."""

import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor

__all__ = ["readable"]


def readable(*tensors: Tensor) -> bool:
    """Whether a branch in Python may depend on the values of some tensors.

    It may not in compiled code, where it would break the graph, under the transforms of ``torch.func``, which refuse
    it, and on the meta device, where there are no values.

    Args:
        tensors: any tensors.

    Returns:
        True if all of them can be read.

    Examples:
        >>> readable(torch.ones(3)), readable(torch.ones(3, device="meta"))
        (True, False)
    """
    if torch.compiler.is_compiling():
        return False
    return not any(tensor.is_meta or is_functorch_wrapped_tensor(tensor) for tensor in tensors)
