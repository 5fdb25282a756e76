"""Events with their dimensions in another order."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from flowkit.bijector import Bijector, Shape
from flowkit.bijectors.identity import no_log_det

__all__ = ["Transpose"]


class Transpose(Bijector[Tensor, Tensor]):
    r"""The dimensions of an event in another order: :math:`z_{ji} = x_{ij}` for ``Transpose([1, 0])``.

    The log-determinant is 0. What mixes channels, the first event dimension, then mixes positions, or times.

    Args:
        order: for each dimension of the latents' event, which of the data's it is: a permutation of 0, 1, ...

    Raises:
        ValueError: ``order`` is no permutation, or (when called) an event has another number of dimensions.

    References:
        J. V. Dillon et al., "TensorFlow Distributions", 2017 (its ``Transpose``).

    Examples:
        >>> import torch
        >>> Transpose([2, 0, 1]).output_shape((3, 4, 5))
        (5, 3, 4)
        >>> Transpose([1, 0])(torch.zeros(7, 2, 3))[0].shape
        torch.Size([7, 3, 2])
    """

    takes_context = False
    moves_entries = True

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        if sorted(order) != list(range(len(order))) or not order:
            raise ValueError(f"order is {list(order)}; it must name each of the dimensions 0 to {len(order) - 1} once")
        self.order = tuple(order)
        self._back = tuple(sorted(range(len(order)), key=self.order.__getitem__))
        self.event_dims = len(self.order)

    def output_shape(self, shape: Shape) -> Shape:
        """The sizes in the other order; ValueError for another number of dimensions."""
        return self._sizes(shape, self.order)

    def input_shape(self, shape: Shape) -> Shape:
        """The sizes in the order of the data; ValueError for another number of dimensions."""
        return self._sizes(shape, self._back)

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return self._reordered(x, self.order)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return self._reordered(z, self._back)

    def _sizes(self, shape: Shape, order: tuple[int, ...]) -> Shape:
        if len(shape) != len(order):
            raise ValueError(f"a Transpose of {len(order)} dimensions got the event shape {tuple(shape)}")
        return tuple(shape[dim] for dim in order)

    def _reordered(self, value: Tensor, order: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        batch = value.ndim - self.event_dims
        return value.permute(*range(batch), *(batch + dim for dim in order)), no_log_det(value, self.event_dims)
