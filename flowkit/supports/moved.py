"""A support whose events lie in another shape, or in another order of their entries."""

from collections.abc import Callable

import torch
from torch import Tensor

from flowkit.supports.support import Support

__all__ = ["MovedSupport"]


class MovedSupport(Support):
    r"""The events that come onto a support when their entries are moved: :math:`\{x : \pi(x) \in X\}`.

    Args:
        support: :math:`X`.
        move: :math:`\pi`, from events here, ``batch x event``, to events there.
        back: the way back.
        event_dims: trailing dimensions of one event here.

    References:
        M. C. Gemici, D. J. Rezende, S. Mohamed, "Normalizing Flows on Riemannian Manifolds", 2016, sec. 2.

    Examples:
        >>> from flowkit.supports import OrderedSupport
        >>> falling = MovedSupport(OrderedSupport(), lambda x: x.flip(-1), lambda x: x.flip(-1), 1)
        >>> falling.contains(torch.tensor([[2.0, 1.0], [1.0, 2.0]]))
        tensor([ True, False])
    """

    def __init__(
        self, support: Support, move: Callable[[Tensor], Tensor], back: Callable[[Tensor], Tensor], event_dims: int
    ) -> None:
        self.support = support
        self.move = move
        self.back = back
        self.event_dims = event_dims

    @property
    def description(self) -> str:  # type: ignore[override]
        """That of the support."""
        return f"{self.support.description}, when their entries are moved"

    @property
    def is_everything(self) -> bool:
        """Whether the support is."""
        return self.support.is_everything

    @property
    def is_product(self) -> bool:
        """Whether the support is."""
        return self.support.is_product

    def contains(self, value: Tensor) -> Tensor:
        """Whether the support contains each event, moved."""
        return self.support.contains(self.move(value))

    def draw(
        self, shape: tuple[int, ...], batch: tuple[int, ...], dtype: torch.dtype, generator: torch.Generator
    ) -> Tensor:
        """Events of the support, moved back."""
        there = tuple(self.move(torch.zeros(shape)).shape)
        return self.back(self.support.draw(there, batch, dtype, generator))

    def frame(self, point: Tensor) -> Tensor | None:
        """The support's tangent vectors, moved back."""
        there = self.move(point)
        frame = self.support.frame(there)
        return None if frame is None else self.back(frame.T.reshape(-1, *there.shape)).flatten(1).T
