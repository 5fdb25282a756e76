"""Batches of any shape as rows, and several latents as one vector, as other libraries take them."""

import math
from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import Shape
from flowkit.conditions import batch_shape_of

__all__ = ["batch_shape_of", "context_rows", "is_several", "join_parts", "split_parts", "to_rows"]


def is_several(shape: Shape) -> bool:
    """Whether an event shape describes a tuple of tensors.

    Args:
        shape: an event shape, or a tuple of them.

    Returns:
        True for a tuple of shapes.

    Examples:
        >>> is_several((3, 8, 8)), is_several(((6, 4, 4), (24, 2, 2)))
        (False, True)
    """
    return bool(shape) and not isinstance(shape[0], int)


def to_rows(value: Tensor, event_dims: int) -> tuple[Tensor, torch.Size]:
    """Flatten all batch dimensions (any number of them) into one.

    Args:
        value: ``batch x event``.
        event_dims: how many trailing dimensions make one event.

    Returns:
        ``rows x event``, and the batch shape.

    Examples:
        >>> rows, batch = to_rows(torch.zeros(2, 5, 3), event_dims=1)
        >>> rows.shape, batch
        (torch.Size([10, 3]), torch.Size([2, 5]))
    """
    cut = value.ndim - event_dims
    batch = value.shape[:cut]
    return value.reshape(math.prod(batch), *value.shape[cut:]), batch


def context_rows(context: Any, context_dims: int, batch: tuple[int, ...]) -> Any:
    """A context as rows: one for each sample, or a single row that serves them all.

    Args:
        context: a tensor whose batch shape broadcasts to ``batch``; anything else is returned as it is.
        context_dims: how many trailing dimensions make the context of one sample.
        batch: the batch shape of the samples.

    Returns:
        ``rows x context``, where there is one row or as many as ``batch`` has samples.

    Raises:
        ValueError: the shapes do not broadcast.

    Examples:
        >>> context_rows(torch.zeros(3, 4), 1, (2, 3)).shape
        torch.Size([6, 4])
        >>> context_rows(torch.zeros(1, 4), 1, (2, 3)).shape
        torch.Size([1, 4])
    """
    own = batch_shape_of(context, context_dims)
    if not isinstance(context, Tensor):
        return context
    event = context.shape[len(own) :]
    if math.prod(own) == 1:
        return context.reshape(1, *event)
    try:
        return context.expand(*batch, *event).reshape(math.prod(batch), *event)
    except RuntimeError as error:
        raise ValueError(
            f"a context of batch shape {tuple(own)} does not broadcast to samples of batch shape {tuple(batch)}"
        ) from error


def join_parts(value: Any) -> Tensor:
    """A tuple of latents as one vector for each row; a tensor stays as it is.

    Args:
        value: a tensor, or a tuple of tensors ``rows x event``.

    Returns:
        The tensor, or ``rows x numbers`` with the parts one after another.

    Examples:
        >>> join_parts((torch.zeros(2, 3, 4, 4), torch.zeros(2, 12, 2, 2))).shape
        torch.Size([2, 96])
    """
    if isinstance(value, Tensor):
        return value
    return torch.cat([part.flatten(1) for part in value], dim=-1)


def split_parts(value: Tensor, shape: Shape) -> Any:
    """Rows of vectors as the tuple of latents; undoes :func:`join_parts`.

    Args:
        value: ``rows x numbers`` for a tuple of shapes, else a tensor of any shape.
        shape: the event shape, or the tuple of the parts' event shapes.

    Returns:
        A tuple of tensors ``rows x event`` for a tuple of shapes, else the tensor as it is.

    Raises:
        ValueError: the vectors have another size than the parts together.

    Examples:
        >>> [part.shape for part in split_parts(torch.zeros(2, 96), ((3, 4, 4), (12, 2, 2)))]
        [torch.Size([2, 3, 4, 4]), torch.Size([2, 12, 2, 2])]
    """
    if not is_several(shape):
        return value
    sizes = [math.prod(part) for part in shape]
    if value.ndim != 2 or value.shape[1] != sum(sizes):
        raise ValueError(
            f"latents of the event shapes {shape} are joined to rows of {sum(sizes)} numbers, "
            f"got a tensor of shape {tuple(value.shape)}"
        )
    return tuple(piece.reshape(-1, *part) for piece, part in zip(value.split(sizes, dim=1), shape, strict=True))
