"""What networks ask of the context that they are given."""

from typing import Any

from torch import Tensor

from flowkit.half_precision import mixes_precisions

__all__ = ["require_context"]


def require_context(context: Any, entries: int, dims: int, weight: Tensor) -> None:
    """Refuse a context that a network does not take, in one sentence that says what to do.

    Args:
        context: the context, or ``None``.
        entries: how many entries, or channels, the network takes; 0 for no context.
        dims: dimensions of the context of one sample: 1 for vectors, 3 for images.
        weight: a parameter of the network.

    Raises:
        TypeError: the context is no tensor, or of another type than the parameters: products do not mix the two.
        ValueError: it is missing, or given where none is taken, or has another number of entries.

    Examples:
        >>> import torch
        >>> require_context(torch.zeros(5, 3), 2, 1, torch.zeros(1))
        Traceback (most recent call last):
        ...
        ValueError: this network takes a context of 2 features, got one of shape (5, 3)
    """
    what = "features" if dims == 1 else "channels"
    if context is None:
        if entries:
            raise ValueError(f"this network takes a context of {entries} {what}, got none: pass context=")
        return
    if not isinstance(context, Tensor):
        raise TypeError(f"the context is a {type(context).__name__}; this network takes a tensor of {entries} {what}")
    if not entries or context.ndim < dims or context.shape[-dims] != entries:
        hint = "" if entries else f"; leave it out, or make the network with context_{what}="
        raise ValueError(
            f"this network takes a context of {entries} {what}, got one of shape {tuple(context.shape)}{hint}"
        )
    if not context.is_floating_point() or mixes_precisions(context.dtype, weight.dtype):
        raise TypeError(
            f"the context is {context.dtype} and the parameters are {weight.dtype}: convert it by "
            f"context.to({weight.dtype})"
        )
