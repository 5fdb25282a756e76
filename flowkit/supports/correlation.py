"""Cholesky factors of correlation matrices."""

import torch
from torch import Tensor
from torch.distributions import constraints

from flowkit.supports.support import Support, tolerance

__all__ = ["CorrelationCholeskySupport"]


class CorrelationCholeskySupport(Support):
    r"""Lower triangular matrices :math:`L` of positive diagonal and rows of length 1: :math:`L L^\top` has ones there.

    Densities refer to the volume of the entries below the diagonal, as those of ``torch.distributions.LKJCholesky`` do.

    References:
        D. Lewandowski, D. Kurowicka, H. Joe, "Generating random correlation matrices based on vines and extended onion
        method", Journal of Multivariate Analysis 2009.

    Examples:
        >>> CorrelationCholeskySupport().contains(torch.tensor([[1.0, 0.0], [0.6, 0.8]]))
        tensor(True)
    """

    event_dims = 2
    description = "lower triangular matrices of positive diagonal whose rows have length 1"

    @property
    def constraint(self) -> constraints.Constraint:
        """Torch's ``corr_cholesky``."""
        return constraints.corr_cholesky

    def contains(self, value: Tensor) -> Tensor:
        """Whether each matrix is such a factor."""
        allowed = tolerance(value.dtype)
        length = value.square().sum(-1, dtype=torch.promote_types(value.dtype, torch.float32))
        triangular = (value.triu(1).abs() <= allowed).flatten(-2).all(-1)
        return triangular & (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1) & ((length - 1).abs() <= allowed).all(-1)

    def draw(
        self, shape: tuple[int, ...], batch: tuple[int, ...], dtype: torch.dtype, generator: torch.Generator
    ) -> Tensor:
        """Rows of normal numbers and a positive one, made of length 1.

        Raises:
            ValueError: the shape is not that of a square matrix.
        """
        if len(shape) != 2 or shape[0] != shape[1]:
            raise ValueError(f"Cholesky factors are square matrices, got the event shape {tuple(shape)}")
        normal = torch.randn(*batch, *shape, dtype=torch.float64, generator=generator)
        diagonal = torch.diag_embed(normal.diagonal(dim1=-2, dim2=-1).abs() + 0.5)
        rows = normal.tril(-1) + diagonal
        return (rows / rows.norm(dim=-1, keepdim=True)).to(dtype)

    def frame(self, point: Tensor) -> Tensor:
        r"""The matrices :math:`e_{ij} - (L_{ij}/L_{ii}) e_{ii}`: an entry grows, and the diagonal's makes up for it."""
        size = len(point)
        columns = []
        for i, j in torch.tril_indices(size, size, -1).T.tolist():
            vector = torch.zeros_like(point)
            vector[i, j] = 1.0
            vector[i, i] = -point[i, j] / point[i, i]
            columns.append(vector.flatten())
        return torch.stack(columns, -1) if columns else point.new_zeros(size * size, 0)
