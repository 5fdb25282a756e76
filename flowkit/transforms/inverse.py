"""A transform with its two directions exchanged."""

import torch
from torch import Tensor

from flowkit.bijector import Interval
from flowkit.transforms.transform import Transform

__all__ = ["InverseTransform"]


class InverseTransform(Transform):
    r"""A transform with its two directions exchanged: :math:`y = f^{-1}(x;\, \theta)`.

    The parameters are those of the transform within.

    Args:
        transform: the transform ``f`` to invert.

    Raises:
        TypeError: it is no elementwise transform.

    Examples:
        >>> from flowkit import Additive
        >>> InverseTransform(Additive())(torch.tensor([3.0]), (torch.tensor([2.0]),))
        (tensor([1.]), tensor([0.]))
    """

    def __init__(self, transform: Transform) -> None:
        super().__init__()
        if not isinstance(transform, Transform):
            raise TypeError(f"InverseTransform takes an elementwise transform, such as Exp(), got {transform!r}")
        self.transform = transform
        self.parameters_per_element = transform.parameters_per_element

    def domain(self, dtype: torch.dtype) -> Interval:
        """The codomain of the transform within."""
        return self.transform.codomain(dtype)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """The domain of the transform within."""
        return self.transform.domain(dtype)

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        """The parameters of the transform within."""
        return self.transform.constrain(raw)

    def forward(self, x: Tensor, parameters: tuple[Tensor, ...] = ()) -> tuple[Tensor, Tensor]:
        """The inverse of the transform within: ``y`` and log|dy/dx|, elementwise."""
        return self.transform.inverse(x, parameters)

    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...] = ()) -> tuple[Tensor, Tensor]:
        """The transform within: ``x`` and log|dx/dy|, elementwise."""
        return self.transform(y, parameters)
