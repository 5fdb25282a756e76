"""A tensor to a tuple of its blocks."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import Bijector, Shape
from flowkit.bijectors.identity import no_log_det
from flowkit.counts import require_counts

__all__ = ["Split"]


class Split(Bijector[Tensor, tuple[Tensor, ...]]):
    r"""A tensor to the tuple of its blocks along the first event dimension: :math:`x \mapsto (x_1, x_2, \dots)`.

    Turned round, by :class:`~flowkit.Inverse`, it joins them. The log-determinant is 0. A
    :class:`~flowkit.Factorised` base then scores each block by a distribution of its own; where the blocks that
    leave are to be normalised given the one that goes on, take :class:`~flowkit.FactorOut`.

    Args:
        sizes: of the blocks, along the channels of images or the entries of vectors; each at least 1.
        event_dims: 3 for images, 1 for vectors ``batch x features``.

    Raises:
        ValueError: there is no size, or one under 1, or (when called) the blocks do not make up the event.

    References:
        L. Dinh, J. Sohl-Dickstein, S. Bengio, "Density estimation using Real NVP", ICLR 2017, sec. 3.6.

    Examples:
        >>> (first, second), log_det = Split([1, 2])(torch.tensor([1.0, 2.0, 3.0]))
        >>> first, second
        (tensor([1.]), tensor([2., 3.]))
    """

    takes_context = False
    moves_entries = True

    def __init__(self, sizes: Sequence[int], event_dims: int = 1) -> None:
        super().__init__()
        if not sizes or any(size < 1 for size in sizes):
            raise ValueError(f"sizes are {list(sizes)}; a Split has one block or more, of size 1 or more")
        self.sizes = list(sizes)
        require_counts(1, event_dims=event_dims)
        self.event_dims = event_dims

    def output_shape(self, shape: Shape) -> Shape:
        """The shapes of the blocks; ValueError where they do not make up the event."""
        if len(shape) != self.event_dims or shape[0] != sum(self.sizes):
            raise ValueError(
                f"Split has blocks of {self.sizes}, {sum(self.sizes)} in all, got the event shape {tuple(shape)}"
            )
        return tuple((size, *shape[1:]) for size in self.sizes)

    def input_shape(self, shape: Shape) -> Shape:
        """The shape of the whole; ValueError for other blocks."""
        blocks = [tuple(block) if isinstance(block, (tuple, list)) else (block,) for block in shape]
        if [block[0] for block in blocks] != self.sizes or any(block[1:] != blocks[0][1:] for block in blocks):
            raise ValueError(f"Split joins blocks of {self.sizes} that agree in all else, got the shapes {shape}")
        return sum(self.sizes), *blocks[0][1:]

    def _forward(self, x: Tensor, prepared: Any) -> tuple[tuple[Tensor, ...], Tensor]:
        return tuple(x.split(self.sizes, -self.event_dims)), no_log_det(x, self.event_dims)

    def _inverse(self, z: tuple[Tensor, ...], prepared: Any) -> tuple[Tensor, Tensor]:
        return torch.cat(list(z), -self.event_dims), no_log_det(z[0], self.event_dims)
