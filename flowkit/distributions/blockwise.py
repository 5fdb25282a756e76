"""A base distribution for each block of a vector."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from flowkit.bijector import Shape
from flowkit.counts import require_counts
from flowkit.distributions.distribution import Distribution
from flowkit.distributions.parts import require_distribution

__all__ = ["Blockwise"]


class Blockwise(Distribution[Tensor]):
    r"""Independent distributions of the blocks of a vector: :math:`\log p(z) = \sum_k \log p_k(z_k)`.

    What :class:`~flowkit.Concatenate` is to bijectors: a base for data of several kinds, as angles beside real numbers.
    A label goes to those parts that take one.

    Args:
        distributions: of vectors, one for each block.
        sizes: of the blocks, in order.

    Raises:
        TypeError: a part is no distribution.
        ValueError: there is no block, or other sizes than distributions, or (when called) the blocks do not make up the
            vector.

    References:
        J. V. Dillon et al., "TensorFlow Distributions", 2017 (its ``Blockwise``).

    Examples:
        >>> from flowkit import StandardNormal
        >>> from flowkit.distributions import UniformTorus
        >>> base = Blockwise([UniformTorus(), StandardNormal(event_dims=1)], sizes=[2, 3])
        >>> base.log_prob(base.sample(7, (5,))).shape
        torch.Size([7])
    """

    def __init__(self, distributions: Sequence[Distribution[Tensor]], sizes: Sequence[int]) -> None:
        super().__init__()
        parts = list(distributions)
        if not parts or len(parts) != len(sizes):
            raise ValueError(
                f"Blockwise got {len(parts)} distributions and the sizes {list(sizes)}; it needs one block or more, "
                "and a size for each"
            )
        for part, size in zip(parts, sizes, strict=True):
            require_distribution(part, "Blockwise")
            require_counts(1, size=size)
        self._distributions = nn.ModuleList(parts)
        self.sizes = list(sizes)
        self.takes_label = any(part.takes_label for part in self.distributions)
        self.label_dims = max((part.label_dims for part in self.distributions if part.takes_label), default=0)

    @property
    def distributions(self) -> list[Distribution[Tensor]]:
        """The parts, in order."""
        return list(self._distributions)  # type: ignore[arg-type]

    def support(self, event_dims: int) -> constraints.Constraint:
        """Each block on its part's support."""
        return _Blocks([part.support(1) for part in self.distributions], self.sizes)

    def _log_prob(self, z: Tensor, label: Any) -> Tensor:
        """The sum of the parts' log-densities, one number per sample."""
        self._require_size(z.shape[-1:])
        blocks = z.split(self.sizes, -1)
        parts = [
            d.log_prob(block, label if d.takes_label else None)
            for d, block in zip(self.distributions, blocks, strict=True)
        ]
        return torch.stack(parts).sum(0)

    def _sample(
        self, batch: int, shape: Shape, label: Any, temperature: float, generator: torch.Generator | None
    ) -> Tensor:
        """Blocks drawn one after another, side by side."""
        self._require_size(shape)
        blocks = [
            d._sample(batch, (size,), label if d.takes_label else None, temperature, generator)
            for d, size in zip(self.distributions, self.sizes, strict=True)
        ]
        return torch.cat(blocks, -1)

    def _require_size(self, shape: Shape) -> None:
        if tuple(shape) != (sum(self.sizes),):
            raise ValueError(
                f"Blockwise has blocks of {self.sizes}, {sum(self.sizes)} in all, got events of shape {tuple(shape)}"
            )


class _Blocks(constraints.Constraint):
    """Vectors each of whose blocks keeps a constraint of its own."""

    event_dim = 1

    def __init__(self, parts: Sequence[constraints.Constraint], sizes: Sequence[int]) -> None:
        super().__init__()
        self.parts = list(parts)
        self.sizes = list(sizes)

    def check(self, value: Any) -> Any:
        """Whether all blocks of each vector do: booleans of the batch shape."""
        blocks = value.split(self.sizes, -1)
        return torch.stack([part.check(block) for part, block in zip(self.parts, blocks, strict=True)]).all(0)
