"""Transforms without parameters."""

from abc import abstractmethod

import torch
from torch import Tensor

from flowkit.transforms.transform import Transform

__all__ = ["FixedTransform"]


class FixedTransform(Transform):
    r"""A function of one number that has no parameters: :math:`y = f(x)`.

    A subclass writes :meth:`_forward` and :meth:`_inverse`. They are given float32 at least: in half precision a
    sigmoid or a hyperbolic tangent of moderate numbers rounds to 1, which cannot be inverted.

    Examples:
        >>> class Cube(FixedTransform):
        ...     def _forward(self, x):
        ...         return x**3, (3 * x**2).log()
        ...     def _inverse(self, y):
        ...         x = y.sign() * y.abs() ** (1 / 3)
        ...         return x, -(3 * x**2).log()
        >>> Cube()(torch.tensor([2.0]))
        (tensor([8.]), tensor([2.4849]))
    """

    parameters_per_element = 0

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Nothing."""
        return ()

    def forward(self, x: Tensor, parameters: tuple[Tensor, ...] = ()) -> tuple[Tensor, Tensor]:
        """``y`` and log|dy/dx|, both of the shape of ``x``, in float32 at least."""
        return self._forward(x.to(torch.promote_types(x.dtype, torch.float32)))

    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...] = ()) -> tuple[Tensor, Tensor]:
        """``x`` and log|dx/dy|, both of the shape of ``y``, in float32 at least."""
        return self._inverse(y.to(torch.promote_types(y.dtype, torch.float32)))

    @abstractmethod
    def _forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``forward`` out of half precision."""

    @abstractmethod
    def _inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """``inverse`` out of half precision."""
