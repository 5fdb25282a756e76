"""How a flow's data, contexts and labels are matched to each other."""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from flowkit.naming import named

__all__ = [
    "batch_shape_of",
    "in_batch",
    "joint_batch",
    "label_rows",
    "number_and_shape",
    "refuse_arrays",
    "require_drawable",
    "require_number",
    "require_one_each",
    "require_rows",
    "require_tensors",
]

# Types are given to isinstance as tuples in this file: torch.compile of 2.6 knows no unions such as `tuple | list`.

# A condition and the dimensions of that of one sample; of unknown dimensions, None.
Condition = tuple[Any, int | None]


def batch_shape_of(condition: Any, dims: int | None, name: str = "context") -> torch.Size:
    """The batch shape of a context or label.

    Args:
        condition: a tensor; anything else, ``None`` included, serves every sample and has no batch dimensions.
        dims: how many trailing dimensions make that of one sample; of an unknown number, nothing is known.
        name: what it is, for the message.

    Returns:
        The shape of the dimensions before those.

    Raises:
        ValueError: the tensor has fewer dimensions.

    Examples:
        >>> batch_shape_of(torch.zeros(7, 2), 1)
        torch.Size([7])
    """
    if not isinstance(condition, Tensor) or dims is None:
        return torch.Size()
    if condition.ndim < dims:
        raise ValueError(
            f"{name}_dims is {dims}: the {name} of each sample needs that many dimensions, "
            f"got one of shape {tuple(condition.shape)}"
        )
    return condition.shape[: condition.ndim - dims]


def joint_batch(batch: Sequence[int], context: Condition, label: Condition) -> tuple[int, ...]:
    """The batch shape that data, contexts and labels broadcast to.

    Args:
        batch: that of the data.
        context: the context and its dimensions.
        label: the label and its dimensions.

    Returns:
        The joint shape.

    Raises:
        ValueError: they do not broadcast.

    Examples:
        >>> joint_batch((100, 1), (torch.zeros(7, 2), 1), (None, 0))
        (100, 7)
    """
    joint = tuple(batch)
    for (value, dims), name in ((context, "context"), (label, "label")):
        own = tuple(batch_shape_of(value, dims, name))
        if own == joint or not own:
            continue
        try:
            joint = tuple(torch.broadcast_shapes(joint, own))
        except RuntimeError:
            raise ValueError(
                f"data of batch shape {joint} and a {name} of batch shape {own} do not fit: give as many rows of the "
                f"one as of the other, or one alone; for every pair of {joint[0] if joint else 1} and {own[0]}, "
                "unsqueeze the data, x[:, None]"
            ) from None
    return joint


def require_one_each(number: int, context: Condition, label: Condition) -> None:
    """Refuse conditions that are neither one for each of a number of samples nor one for all of them.

    Args:
        number: of samples.
        context: the context and its dimensions; of unknown ones, a first of several dimensions is taken for the rows.
        label: the label and its dimensions.

    Raises:
        ValueError: there are others.

    Examples:
        >>> require_one_each(10, (torch.zeros(7, 2), 1), (None, 0))
        Traceback (most recent call last):
        ...
        ValueError: 10 samples, 7 rows of context: sample(10, ...) needs 10 or 1; sample((10,), ...) draws 10 for each
    """
    for (value, dims), name in ((context, "context"), (label, "label")):
        if not isinstance(value, Tensor):
            continue
        own = tuple(value.shape[:1] if value.ndim > 1 else ()) if dims is None else batch_shape_of(value, dims, name)
        if math.prod(own) not in (1, number) or len(own) > 1:
            rows = f"{own[0]} rows of {name}" if len(own) == 1 else f"a {name} of batch shape {tuple(own)}"
            raise ValueError(
                f"{number} samples, {rows}: sample({number}, ...) needs {number} or 1; "
                f"sample(({number},), ...) draws {number} for each"
            )


def require_rows(number: int, context: Any) -> None:
    """Refuse a context of unknown dimensions whose first of several is neither the number of samples nor one.

    Args:
        number: how many rows of data there are.
        context: the context; one that is no tensor passes.

    Raises:
        ValueError: there are other rows.

    Examples:
        >>> require_rows(5, torch.zeros(1, 2))
    """
    if isinstance(context, Tensor) and context.ndim > 1 and context.shape[0] not in (1, number):
        raise ValueError(
            f"{number} rows of data and a context of shape {tuple(context.shape)} do not fit: give a row for each, or "
            "one alone"
        )


def label_rows(label: Any, dims: int, batch: Sequence[int]) -> Any:
    """A label as rows, one for each sample of a batch of any shape.

    Args:
        label: a tensor whose batch shape broadcasts to ``batch``; anything else serves every sample and stays.
        dims: trailing dimensions of the label of one sample.
        batch: the batch shape of the samples.

    Returns:
        ``rows x label``.

    Examples:
        >>> label_rows(torch.tensor([0, 1]), 0, (2, 2))
        tensor([0, 1, 0, 1])
    """
    if not isinstance(label, Tensor):
        return label
    event = label.shape[label.ndim - dims :]
    return label.expand(*batch, *event).reshape(math.prod(batch), *event)


def in_batch(values: Any, batch: tuple[int, ...]) -> Any:
    """Rows, or a tuple of such tensors, in a batch of any shape.

    Args:
        values: ``rows x event``.
        batch: the shape, of as many samples as there are rows.

    Returns:
        ``batch x event``.

    Examples:
        >>> in_batch(torch.zeros(6, 2), (3, 2)).shape
        torch.Size([3, 2, 2])
    """
    if isinstance(values, tuple):
        return tuple(in_batch(part, batch) for part in values)
    return values.reshape(*batch, *values.shape[1:])


def refuse_arrays(**values: Any) -> None:
    """Refuse arrays of other libraries, NumPy's among them, where tensors are taken.

    Args:
        values: the arguments, by name.

    Raises:
        TypeError: one is such an array.

    Examples:
        >>> refuse_arrays(context=torch.zeros(1))
    """
    for name, value in values.items():
        if not isinstance(value, Tensor) and hasattr(value, "__array__"):
            number = "" if name == "label" else ".float()"
            raise TypeError(f"the {name} is a {type(value).__name__}: convert it by torch.as_tensor({name}){number}")


def require_tensors(context: Any, context_dims: int | None, **data: Any) -> None:
    """Refuse what stands in the place of a single tensor, such as a batch of a ``DataLoader``.

    Args:
        context: the context.
        context_dims: its dimensions; one of none may be a number, one of unknown dimensions is anything.
        data: the data, by its name.

    Raises:
        TypeError: something else was given.

    Examples:
        >>> require_tensors(None, 1, data=torch.zeros(5, 2))
    """
    for name, value in data.items():
        if isinstance(value, (tuple, list)):
            raise TypeError(
                f"a flow takes floating-point tensors, got a {type(value).__name__} for the {name}: of a batch of a "
                "DataLoader's take the tensor, batch[0]"
            )
    if context_dims and context is not None and not isinstance(context, Tensor):
        raise TypeError(f"the context is {named(context)}; this flow takes a tensor, batch x {context_dims} dimensions")


def number_and_shape(batch: Any) -> tuple[int | None, tuple[int, ...]]:
    """A number of samples, or ``None`` and the shape of those for each row.

    Args:
        batch: what ``sample`` was given: a number, or a tuple or list of sizes.

    Returns:
        Both.

    Raises:
        TypeError: it is neither.
        ValueError: a number is negative.

    Examples:
        >>> number_and_shape(5), number_and_shape((5,))
        ((5, ()), (None, (5,)))
    """
    several = isinstance(batch, (tuple, list))
    sizes = batch if several else (batch,)
    if not all(map(_is_size, sizes)):
        raise TypeError(
            f"batch is {named(batch)}; it is a number of samples, or a tuple of sizes for each row of context"
        )
    if any(size < 0 for size in sizes):
        raise ValueError(f"batch is {batch}; a number of samples is at least 0")
    return (None, tuple(batch)) if several else (batch, ())


def _is_size(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.ndim == 0 and not value.is_floating_point() and value.dtype != torch.bool
    return hasattr(value, "__index__") and not isinstance(value, bool)


def require_number(batch: Any, shape: Any) -> None:
    """Refuse what a base distribution cannot draw: it takes a number of samples, and their event shape.

    Args:
        batch: how many.
        shape: the event shape, or a tuple of several.

    Raises:
        TypeError: one is of another type.
        ValueError: the number is negative.

    Examples:
        >>> require_number(5, (2,))
    """
    number, _ = number_and_shape(batch)
    if number is None:
        raise TypeError(f"batch is {batch}; a base distribution draws a number of samples, a Flow samples of a shape")
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"shape is {named(shape)}; it is the event shape, a tuple of sizes such as (2,) or (3, 32, 32)")


def require_drawable(temperature: Any, generator: Any) -> None:
    """Refuse temperatures and sources of randomness by which nothing can be drawn.

    Args:
        temperature: a factor, finite and not negative.
        generator: of torch's, or ``None``.

    Raises:
        TypeError: one is of another type, a seed among them.
        ValueError: the temperature is negative, infinite or NaN.

    Examples:
        >>> require_drawable(1.0, None)
    """
    if not isinstance(temperature, (Real, Tensor)) or isinstance(temperature, bool):
        raise TypeError(f"temperature is {named(temperature)}; it is a number, 1 for samples of the density itself")
    if not 0 <= float(temperature) < math.inf:
        raise ValueError(f"temperature is {temperature}; it must be at least 0 and finite")
    if generator is not None and not isinstance(generator, torch.Generator):
        raise TypeError(f"generator is {named(generator)}; of a seed, make one by torch.Generator().manual_seed(seed)")
