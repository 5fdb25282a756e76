"""Inputs and results of bijectors: a tensor, or a tuple of tensors."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import Interval, Shape
from flowkit.supports import Support, within
from flowkit.testing.violation import ContractViolation

__all__ = [
    "apply_to",
    "difference",
    "draw_on",
    "draw_within",
    "equal",
    "is_nested",
    "shapes_of",
    "tensors",
    "unflatten_event",
]


def tensors(value: Any) -> list[Tensor]:
    """The tensors of a value in order: itself, or those of the tuple; none for ``None``.

    Args:
        value: a tensor, a tuple of values, or ``None``.

    Returns:
        A list.

    Raises:
        ContractViolation: the value holds something else.

    Examples:
        >>> len(tensors((torch.ones(2), (torch.ones(3), torch.ones(4)))))
        3
    """
    if value is None:
        return []
    if isinstance(value, Tensor):
        return [value]
    if not isinstance(value, tuple):
        raise ContractViolation(f"a tensor or a tuple of tensors is expected, got a {type(value).__name__}")
    return [tensor for part in value for tensor in tensors(part)]


def apply_to(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """Apply a function to each tensor of a value; ``None`` stays ``None``.

    Args:
        value: a tensor, a tuple of values, or ``None``.
        function: the function.

    Returns:
        A value of the same structure.

    Examples:
        >>> apply_to((torch.ones(1), torch.ones(2)), torch.neg)
        (tensor([-1.]), tensor([-1., -1.]))
    """
    if value is None or isinstance(value, Tensor):
        return None if value is None else function(value)
    return tuple(apply_to(part, function) for part in value)


def unflatten_event(like: Any, flat: list[Tensor]) -> Any:
    """Tensors put back into the structure of a value.

    Args:
        like: a tensor, a tuple of values, or ``None``.
        flat: as many tensors as ``like`` has.

    Returns:
        A value of that structure.

    Examples:
        >>> unflatten_event((torch.ones(1), torch.ones(1)), [torch.zeros(1), torch.ones(2)])
        (tensor([0.]), tensor([1., 1.]))
    """
    remaining = iter(flat)
    return apply_to(like, lambda _: next(remaining))


def is_nested(shape: Shape) -> bool:
    """Whether a shape is a tuple of shapes.

    Args:
        shape: an event shape, or a tuple of them.

    Returns:
        ``True`` for a tuple of shapes.

    Examples:
        >>> is_nested((3, 8, 8)), is_nested(((6, 4, 4), (24, 2, 2)))
        (False, True)
    """
    return any(isinstance(part, tuple) for part in shape)


def shapes_of(value: Any, batch_dims: int = 0) -> Shape:
    """The shapes of a value without its batch dimensions.

    Args:
        value: a tensor, or a tuple of values.
        batch_dims: how many leading dimensions to leave out.

    Returns:
        A tuple of sizes, or a tuple of such tuples.

    Examples:
        >>> shapes_of((torch.ones(5, 2), torch.ones(5, 3)), batch_dims=1)
        ((2,), (3,))
    """
    if isinstance(value, tuple):
        return tuple(shapes_of(part, batch_dims) for part in value)
    return tuple(tensors(value)[0].shape[batch_dims:])


def difference(got: Any, expected: Any, what: str) -> float:
    r"""The largest difference between two values: :math:`\max |a - b| / (1 + |b|)`, absolute below 1, relative above.

    Args:
        got: a value.
        expected: another.
        what: names ``got`` in the message.

    Returns:
        The difference; ``nan`` if either value has one.

    Raises:
        ContractViolation: they differ in structure or shape.

    Examples:
        >>> difference(torch.tensor([1.0, 109.0]), torch.tensor([1.0, 99.0]), "it")
        0.1...
    """
    ours, theirs = tensors(got), tensors(expected)
    if len(ours) != len(theirs) or any(a.shape != b.shape for a, b in zip(ours, theirs, strict=True)):
        raise ContractViolation(f"{what} has the shape {_named(got)}, {_named(expected)} is expected")
    worst = 0.0
    for a, b in zip(ours, theirs, strict=True):
        # Infinity minus infinity is nan, which no tolerance accepts: compared values must be finite.
        error = ((a - b).abs() / (1 + b.abs())).detach().double().flatten()
        if error.numel():
            largest = float(error.max())
            worst = largest if math.isnan(largest) else max(worst, largest)
        if math.isnan(worst):
            return worst
    return worst


def equal(got: Any, expected: Any) -> bool:
    """Whether two values are exactly equal.

    Args:
        got: a value.
        expected: another.

    Returns:
        ``True`` if structure, shapes and every number agree; ``nan`` agrees with ``nan``.

    Examples:
        >>> equal(torch.ones(2), torch.ones(2)), equal(torch.ones(2), torch.ones(3))
        (True, False)
    """
    ours, theirs = tensors(got), tensors(expected)
    return len(ours) == len(theirs) and all(
        a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all())
        for a, b in zip(ours, theirs, strict=True)
    )


def draw_within(
    interval: Interval, shape: Shape, batch: tuple[int, ...], dtype: torch.dtype, generator: torch.Generator
) -> Any:
    """Random numbers of order one, well within an interval.

    They are standard normal if the interval has room for that; otherwise normal numbers are mapped into the interval,
    so that no value lies closer to an end than a few hundredths.

    Args:
        interval: the ends of the open interval.
        shape: an event shape, or a tuple of them.
        batch: the batch shape before it.
        dtype: floating-point type; the numbers are drawn in float64 and rounded to it.
        generator: source of randomness.

    Returns:
        A tensor ``batch x shape``, or a tuple of them.

    Examples:
        >>> x = draw_within((0.0, 1.0), (100,), (), torch.float64, torch.Generator().manual_seed(0))
        >>> bool((x > 0.02).all() and (x < 0.98).all())
        True
    """
    if is_nested(shape):
        return tuple(draw_within(interval, part, batch, dtype, generator) for part in shape)
    normal = torch.randn(*batch, *shape, dtype=torch.float64, generator=generator)
    return within(normal, interval).to(dtype)


def draw_on(
    support: Support | None,
    interval: Interval,
    shape: Shape,
    batch: tuple[int, ...],
    dtype: torch.dtype,
    generator: torch.Generator,
) -> Any:
    """Random events on a support, or within an interval where there is none.

    Args:
        support: a bijector's ``data_support`` or ``latent_support``.
        interval: its ``domain`` or ``codomain``.
        shape: an event shape, or a tuple of them.
        batch: the batch shape before it.
        dtype: floating-point type.
        generator: source of randomness.

    Returns:
        A tensor ``batch x shape``, or a tuple of them.

    Examples:
        >>> from flowkit.supports import SimplexSupport
        >>> x = draw_on(SimplexSupport(), (0.0, 1.0), (3,), (), torch.float64, torch.Generator().manual_seed(0))
        >>> x.sum()
        tensor(1., dtype=torch.float64)
    """
    if support is None:
        return draw_within(interval, shape, batch, dtype, generator)
    return support.draw(tuple(shape), batch, dtype, generator)


def _named(value: Any) -> str:
    return "None" if value is None else str(shapes_of(value))
