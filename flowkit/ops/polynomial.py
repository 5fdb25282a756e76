"""Polynomials."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

__all__ = ["polynomial"]


def polynomial(coefficients: Sequence[Tensor] | Sequence[float], x: Tensor) -> Tensor:
    r""":math:`\sum_i c_i x^i`, by Horner's rule.

    Args:
        coefficients: the constant first: tensors that broadcast to ``x``, or two numbers at least.
        x: of any shape.

    Returns:
        The values.

    Examples:
        >>> import torch
        >>> polynomial([1.0, 0.0, 2.0], torch.tensor([3.0]))
        tensor([19.])
    """
    value: Any
    value, *rest = reversed(coefficients)
    for coefficient in rest:
        value = value * x + coefficient
    result: Tensor = value
    return result
