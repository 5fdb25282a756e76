"""Blocks of an event, each with a bijector of its own."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import REAL_LINE, Bijector, Interval, InTurn, Shape
from flowkit.bijectors.parts import require_bijector
from flowkit.supports.interval import EndsOf, IntervalSupport
from flowkit.supports.product import ProductSupport
from flowkit.supports.support import Support

__all__ = ["Concatenate"]


class Concatenate(Bijector[Tensor, Tensor]):
    r"""Blocks of an event, each transformed by a bijector of its own, side by side.

    .. math:: x = [x_1, x_2, \dots] \mapsto z = [f_1(x_1), f_2(x_2), \dots], \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right|
              = \sum_k \log\left|\det \frac{\partial f_k}{\partial x_k}\right|

    The blocks lie along the first event dimension: entries of vectors, channels of images. For data of several kinds,
    as positive numbers beside probabilities, whose support is the product of the blocks'.

    Args:
        bijectors: one for each block, all of the same ``event_dims``; :class:`~flowkit.bijectors.Identity` for a block
            that stays. All of them get the same context.
        sizes: of the blocks of the data, along the first event dimension; a bijector may change its block's, and
            nothing else of its shape.

    Raises:
        TypeError: a part is no bijector.
        ValueError: there is no block, or other sizes than bijectors; event dimensions differ; or (when called) the
            blocks do not make up the event.

    References:
        J. V. Dillon et al., "TensorFlow Distributions", 2017 (its ``Blockwise``).

    Examples:
        >>> from flowkit.bijectors import Identity, Positive, StickBreaking
        >>> parts = Concatenate([Positive(), StickBreaking(), Identity()], sizes=[1, 3, 2])
        >>> parts.output_shape((6,))
        (5,)
        >>> z, log_det = parts(torch.tensor([2.0, 0.2, 0.3, 0.5, -1.0, 4.0]))
        >>> z[-2:]
        tensor([-1.,  4.])
    """

    takes_context = False

    def __init__(self, bijectors: Iterable[Bijector[Tensor, Tensor]], sizes: Sequence[int]) -> None:
        super().__init__()
        bijectors = list(bijectors)
        if not bijectors or len(bijectors) != len(sizes) or any(size < 1 for size in sizes):
            raise ValueError(
                f"Concatenate got {len(bijectors)} bijectors and the sizes {list(sizes)}; it needs one block or more, "
                "and a size of at least 1 for each"
            )
        for part in bijectors:
            require_bijector(part, "Concatenate")
        dims = {part.event_dims for part in bijectors} | {part.latent_event_dims for part in bijectors}
        if len(dims) != 1:
            raise ValueError(f"Concatenate joins bijectors of the same event_dims, got some of {sorted(dims)}")
        self.bijectors = nn.ModuleList(bijectors)
        self.sizes = list(sizes)
        self.event_dims = dims.pop()
        self.batch_dims = min((b.batch_dims for b in bijectors if b.batch_dims is not None), default=None)

    @property
    def parts(self) -> list[Bijector[Tensor, Tensor]]:
        """The bijectors, in the order of their blocks."""
        return list(self.bijectors)  # type: ignore[arg-type]

    def output_shape(self, shape: Shape) -> Shape:
        """The shape with its blocks transformed; ValueError where they do not make it up."""
        if len(shape) != self.event_dims or shape[0] != sum(self.sizes):
            raise ValueError(
                f"Concatenate has blocks of {self.sizes}, {sum(self.sizes)} in all, got the event shape {tuple(shape)}"
            )
        return sum(self._latent_sizes(shape[1:])), *shape[1:]

    def input_shape(self, shape: Shape) -> Shape:
        """The shape of the data; ValueError where the blocks' latents do not make up the event."""
        sizes = self._latent_sizes(shape[1:])
        if len(shape) != self.event_dims or shape[0] != sum(sizes):
            raise ValueError(
                f"Concatenate has blocks of latents of {sizes}, {sum(sizes)} in all, got the event shape {tuple(shape)}"
            )
        return sum(self.sizes), *shape[1:]

    def domain(self, dtype: torch.dtype) -> Interval:
        """The widest of the blocks'."""
        return _widest([part.domain(dtype) for part in self.parts])

    def codomain(self, dtype: torch.dtype) -> Interval:
        """The widest of the blocks'."""
        return _widest([part.codomain(dtype) for part in self.parts])

    @property
    def moves_entries(self) -> bool:
        """Whether all blocks do."""
        return all(part.moves_entries for part in self.parts)

    def image_of(self, interval: Interval) -> Interval | None:
        """The widest of the blocks'; ``None`` where one of them has none."""
        images = [part.image_of(interval) for part in self.parts]
        known = [image for image in images if image is not None]
        return _widest(known) if len(known) == len(images) else None

    def data_support(self) -> Support | None:
        """The product of the blocks' supports; ``None`` where all take all real numbers."""
        return self._product([part.data_support() or self._interval(part.domain) for part in self.parts], self.sizes)

    def latent_support(self) -> Support | None:
        """The product of the supports of the blocks' latents; ``None`` where all take all real numbers."""
        supports = [part.latent_support() or self._interval(part.codomain) for part in self.parts]
        # Of vectors a simplex's are fewer than the data's; nothing changes the number of an image's channels here.
        return self._product(supports, self._latent_sizes(()) if self.event_dims == 1 else self.sizes)

    def prepare(self, context: Any) -> list[Any]:
        """What each bijector prepares."""
        return [part.prepare(context) for part in self.parts]

    def _prepare_in_turn(self, context: Any) -> list[InTurn]:
        return [InTurn(context)] * len(self.parts)

    def _forward(self, x: Tensor, prepared: list[Any]) -> tuple[Tensor, Tensor]:
        return self._side_by_side(x, prepared, self.sizes, inverse=False)

    def _inverse(self, z: Tensor, prepared: list[Any]) -> tuple[Tensor, Tensor]:
        rest = tuple(z.shape[z.ndim - self.event_dims + 1 :])
        return self._side_by_side(z, prepared, self._latent_sizes(rest), inverse=True)

    def _side_by_side(
        self, value: Tensor, prepared: list[Any], sizes: list[int], inverse: bool
    ) -> tuple[Tensor, Tensor]:
        blocks = value.split(sizes, -self.event_dims)
        results = [part.run(block, own, inverse) for part, block, own in zip(self.parts, blocks, prepared, strict=True)]
        total = results[0][1]
        for _, log_det in results[1:]:
            total = total + log_det
        return torch.cat([result for result, _ in results], -self.event_dims), total

    def _interval(self, ends: EndsOf) -> IntervalSupport:
        return IntervalSupport(ends, self.event_dims)

    def _product(self, supports: list[Support], sizes: list[int]) -> Support | None:
        if all(isinstance(s, IntervalSupport) and s.ends(torch.float64) == REAL_LINE for s in supports):
            return None
        return ProductSupport(supports, sizes)

    def _latent_sizes(self, rest: tuple[int, ...]) -> list[int]:
        """The blocks' sizes among the latents, for events of these further dimensions."""
        shapes = [part.output_shape((size, *rest)) for part, size in zip(self.parts, self.sizes, strict=True)]
        if any(tuple(shape[1:]) != tuple(rest) for shape in shapes):
            raise ValueError(
                f"Concatenate joins blocks that keep all dimensions but the first; theirs become {shapes}: put what "
                "changes the others, as a Squeeze, before or after it"
            )
        return [shape[0] for shape in shapes]


def _widest(intervals: list[Interval]) -> Interval:
    return min(lower for lower, _ in intervals), max(upper for _, upper in intervals)
