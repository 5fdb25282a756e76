"""The probability simplex."""

import torch
from torch import Tensor
from torch.distributions import constraints

from flowkit.supports.support import Support, tolerance

__all__ = ["SimplexSupport"]


class SimplexSupport(Support):
    r"""Positive numbers that sum to 1: :math:`\{x \in \mathbb R^K : x_k > 0, \sum_k x_k = 1\}`.

    Densities refer to the volume of the first :math:`K - 1` entries, as those of ``torch.distributions.Dirichlet`` do.

    References:
        J. Aitchison, "The Statistical Analysis of Compositional Data", JRSS B 1982.

    Examples:
        >>> SimplexSupport().contains(torch.tensor([[0.2, 0.8], [0.2, 0.2]]))
        tensor([ True, False])
    """

    description = "vectors of positive numbers that sum to 1"

    @property
    def constraint(self) -> constraints.Constraint:
        """Torch's ``simplex``."""
        return constraints.simplex

    def contains(self, value: Tensor) -> Tensor:
        """Whether each vector's entries are positive and sum to 1."""
        total = value.sum(-1, dtype=torch.promote_types(value.dtype, torch.float32))
        return (value > 0).all(-1) & ((total - 1).abs() <= tolerance(value.dtype))

    def draw(
        self, shape: tuple[int, ...], batch: tuple[int, ...], dtype: torch.dtype, generator: torch.Generator
    ) -> Tensor:
        """The softmax of normal numbers."""
        return torch.randn(*batch, *shape, dtype=torch.float64, generator=generator).softmax(-1).to(dtype)

    def frame(self, point: Tensor) -> Tensor:
        r"""The vectors :math:`e_k - e_K`: one entry grows, the last one makes up for it."""
        identity = torch.eye(len(point) - 1, dtype=point.dtype)
        return torch.cat([identity, -torch.ones_like(identity[:1])])
