"""Composition of bijectors."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Bijector, Interval, Shape

__all__ = ["Chain"]


class Chain(Bijector[Any, Any]):
    r"""Bijectors one after another: :math:`f = f_n \circ \dots \circ f_1`; the log-determinants add up.

    Every part is given the same context.

    Args:
        bijectors: the parts, in the order in which ``forward`` runs them; at least one.

    Raises:
        ValueError: no bijector is given.

    References:
        G. Papamakarios, E. Nalisnick, D. J. Rezende, S. Mohamed, B. Lakshminarayanan, "Normalizing Flows for
        Probabilistic Modeling and Inference", JMLR 2021.

    Examples:
        >>> import torch
        >>> from flowkit import LUConv1x1, Squeeze
        >>> chain = Chain([Squeeze(), LUConv1x1(12)])
        >>> chain.output_shape((3, 8, 6))
        (12, 4, 3)
        >>> z, log_det = chain(torch.rand(2, 3, 8, 6))
        >>> log_det.shape
        torch.Size([2])
    """

    def __init__(self, bijectors: Iterable[Bijector[Any, Any]]) -> None:
        super().__init__()
        self.bijectors = nn.ModuleList(bijectors)
        if not len(self.bijectors):
            raise ValueError("a Chain needs at least one bijector")
        batch_dims = [b.batch_dims for b in self.parts if b.batch_dims is not None]
        self.event_dims = self.parts[0].event_dims
        self.batch_dims = min(batch_dims, default=None)

    @property
    def parts(self) -> list[Bijector[Any, Any]]:
        """The bijectors, in forward order."""
        return list(self.bijectors)  # type: ignore[arg-type]

    def output_shape(self, shape: Shape) -> Shape:
        """The shape after all parts."""
        for part in self.parts:
            shape = part.output_shape(shape)
        return shape

    def input_shape(self, shape: Shape) -> Shape:
        """The shape before all parts."""
        for part in reversed(self.parts):
            shape = part.input_shape(shape)
        return shape

    def domain(self, dtype: torch.dtype) -> Interval:
        """That of the first part."""
        return self.parts[0].domain(dtype)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """That of the last part."""
        return self.parts[-1].codomain(dtype)

    def prepare(self, context: Any) -> Any:
        """What each part prepares, as a list."""
        return [part.prepare(context) for part in self.parts]

    def _forward(self, x: Any, prepared: Any) -> tuple[Any, Tensor]:
        parts = iter(zip(self.parts, prepared, strict=True))
        part, its_own = next(parts)
        x, total = part._forward(x, its_own)
        for part, its_own in parts:
            x, log_det = part._forward(x, its_own)
            total = total + log_det
        return x, total

    def _inverse(self, z: Any, prepared: Any) -> tuple[Any, Tensor]:
        parts = iter(zip(reversed(self.parts), reversed(prepared), strict=True))
        part, its_own = next(parts)
        z, total = part._inverse(z, its_own)
        for part, its_own in parts:
            z, log_det = part._inverse(z, its_own)
            total = total + log_det
        return z, total
