"""Products of supports: some entries on one, the next ones on another."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints

from flowkit.supports.support import Support

__all__ = ["ProductSupport"]


class ProductSupport(Support):
    r"""Events in blocks along their first dimension, each block on a support of its own.

    :math:`X_1 \times X_2 \times \dots`, with the product of their measures.

    Args:
        supports: of the blocks, all of the same number of event dimensions.
        sizes: of the blocks, along the first dimension of an event.

    References:
        M. C. Gemici, D. J. Rezende, S. Mohamed, "Normalizing Flows on Riemannian Manifolds", 2016, sec. 2.

    Examples:
        >>> from flowkit.supports import SimplexSupport, SphereSupport
        >>> ProductSupport([SimplexSupport(), SphereSupport()], [2, 2]).contains(torch.tensor([0.5, 0.5, 0.6, 0.8]))
        tensor(True)
    """

    def __init__(self, supports: Sequence[Support], sizes: Sequence[int]) -> None:
        self.supports = tuple(supports)
        self.sizes = list(sizes)
        self.event_dims = self.supports[0].event_dims

    @property
    def description(self) -> str:  # type: ignore[override]
        """What the blocks are."""
        parts = [f"{size} of {s.description}" for size, s in zip(self.sizes, self.supports, strict=True)]
        return f"blocks ({'; '.join(parts)})"

    @property
    def is_everything(self) -> bool:
        """Whether all of its parts are."""
        return all(support.is_everything for support in self.supports)

    @property
    def is_product(self) -> bool:
        """Whether all of its parts are."""
        return all(support.is_product for support in self.supports)

    @property
    def constraint(self) -> constraints.Constraint:
        """``real`` where the parts are everything, else one of our own."""
        return constraints.independent(constraints.real, self.event_dims) if self.is_everything else super().constraint

    def contains(self, value: Tensor) -> Tensor:
        """Whether each block of each event lies on its support."""
        blocks = value.split(self.sizes, -self.event_dims)
        return torch.stack([s.contains(b) for s, b in zip(self.supports, blocks, strict=True)]).all(0)

    def draw(
        self, shape: tuple[int, ...], batch: tuple[int, ...], dtype: torch.dtype, generator: torch.Generator
    ) -> Tensor:
        """Each block drawn on its support.

        Raises:
            ValueError: the blocks do not make up the shape.
        """
        if sum(self.sizes) != shape[0]:
            raise ValueError(f"blocks of {self.sizes} do not make up the event shape {tuple(shape)}")
        pairs = zip(self.supports, self.sizes, strict=True)
        blocks = [support.draw((size, *shape[1:]), batch, dtype, generator) for support, size in pairs]
        return torch.cat(blocks, -self.event_dims)

    def frame(self, point: Tensor) -> Tensor:
        """The blocks' frames along the diagonal."""
        frames = []
        for support, block in zip(self.supports, point.split(self.sizes), strict=True):
            own = support.frame(block)
            frames.append(torch.eye(block.numel(), dtype=point.dtype) if own is None else own)
        return torch.block_diag(*frames)
