"""Increasing vectors."""

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.supports.support import Support

__all__ = ["OrderedSupport"]


class OrderedSupport(Support):
    r"""Vectors whose entries increase: :math:`\{x \in \mathbb R^n : x_1 < x_2 < \dots < x_n\}`, with their volume.

    References:
        Stan Development Team, "Stan Reference Manual", sec. "Ordered vector".

    Examples:
        >>> OrderedSupport().contains(torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
        tensor([ True, False])
    """

    description = "vectors whose entries increase"

    def contains(self, value: Tensor) -> Tensor:
        """Whether each vector's entries increase."""
        return (value.diff(dim=-1) > 0).all(-1)

    def draw(
        self, shape: tuple[int, ...], batch: tuple[int, ...], dtype: torch.dtype, generator: torch.Generator
    ) -> Tensor:
        """Sums of positive numbers, from a normal one on."""
        normal = torch.randn(*batch, *shape, dtype=torch.float64, generator=generator)
        return torch.cat([normal[..., :1], F.softplus(normal[..., 1:]) + 0.05], -1).cumsum(-1).to(dtype)
