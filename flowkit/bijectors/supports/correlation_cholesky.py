"""Correlation matrices, by their Cholesky factors, to real vectors."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.bijector import Bijector, Shape
from flowkit.supports.correlation import CorrelationCholeskySupport

__all__ = ["CorrelationCholesky"]


class CorrelationCholesky(Bijector[Tensor, Tensor]):
    r"""Cholesky factors of ``D x D`` correlation matrices to vectors of :math:`D (D - 1) / 2` real numbers.

    Row ``i`` of the factor :math:`L` breaks a stick of squared length 1; with what is left of it,
    :math:`s_{ij} = \sum_{k \ge j} L_{ik}^2`,

    .. math:: z_{ij} = \operatorname{artanh} \frac{L_{ij}}{\sqrt{s_{ij}}}, \quad j < i, \qquad
              \log\left|\det \frac{\partial z}{\partial L}\right|
              = \sum_{j < i} \tfrac12 \log s_{ij} - \log s_{i, j+1}

    with respect to the entries below the diagonal, as the densities of ``torch.distributions.LKJCholesky`` are. The
    vector holds them row by row, and ``inverse`` is torch's ``CorrCholeskyTransform``. The squares are summed from the
    diagonal on, so that correlations near 1 keep their digits.

    Raises:
        ValueError: (when called) the data are no such factors, or the latents not as many as some matrix has.

    References:
        D. Lewandowski, D. Kurowicka, H. Joe, "Generating random correlation matrices based on vines and extended onion
        method", Journal of Multivariate Analysis 2009.

    Examples:
        >>> z, log_det = CorrelationCholesky()(torch.eye(3))
        >>> z.shape, log_det
        (torch.Size([3]), tensor(0.))
    """

    event_dims = 2
    takes_context = False

    @property
    def latent_event_dims(self) -> int:
        """1, vectors."""
        return 1

    def output_shape(self, shape: Shape) -> Shape:
        """``D x D`` to ``D (D - 1) / 2``; ValueError for another shape."""
        if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 2:
            raise ValueError(f"CorrelationCholesky takes square matrices of size 2 or more, got {tuple(shape)}")
        return (shape[0] * (shape[0] - 1) // 2,)

    def input_shape(self, shape: Shape) -> Shape:
        """``D (D - 1) / 2`` to ``D x D``; ValueError for a number that is not of this form."""
        size = (1 + math.isqrt(1 + 8 * shape[0])) // 2
        if len(shape) != 1 or shape[0] < 1 or size * (size - 1) // 2 != shape[0]:
            raise ValueError(f"no D x D matrix has D (D - 1) / 2 = {shape[0]} entries below its diagonal")
        return size, size

    def data_support(self) -> CorrelationCholeskySupport:
        """The Cholesky factors of correlation matrices."""
        return CorrelationCholeskySupport()

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        # Above the diagonal there is nothing, and the sums leave it out.
        left = x.square().flip(-1).cumsum(-1).flip(-1)
        rest = F.pad(left[..., 1:], (0, 1), value=1.0)
        entries, left, rest = (_below_diagonal(values) for values in (x, left, rest))
        return torch.asinh(entries * rest.rsqrt()), (0.5 * left.log() - rest.log()).sum(-1)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        size = self.input_shape((z.shape[-1],))[0]
        partial = _as_lower_triangle(z, size)
        # log(1 - tanh^2) from the numbers themselves: near 1 the difference would be lost.
        log_rest = (2 * math.log(2) + F.logsigmoid(2 * partial) + F.logsigmoid(-2 * partial)).cumsum(-1)
        log_left = F.pad(log_rest[..., :-1], (1, 0))
        identity = torch.eye(size, dtype=z.dtype, device=z.device)
        # What is left of a row is more than 0, also where its square is less than the smallest number.
        left = log_left.clamp_min(math.log(torch.finfo(z.dtype).tiny))
        matrix = (partial.tanh() + identity) * (0.5 * left).exp()
        log_det = log_rest - 0.5 * log_left
        return matrix.tril(), _below_diagonal(log_det).sum(-1)


def _below_diagonal(matrix: Tensor) -> Tensor:
    """The entries below the diagonal, row by row: ``... x D (D - 1) / 2``."""
    size = matrix.shape[-1]
    rows, columns = torch.tril_indices(size, size, -1, device=matrix.device).unbind(0)
    return matrix.flatten(-2).index_select(-1, rows * size + columns)


def _as_lower_triangle(vector: Tensor, size: int) -> Tensor:
    """The matrix with these entries below its diagonal and zeros elsewhere."""
    rows = torch.arange(size, device=vector.device)[:, None]
    columns = torch.arange(size, device=vector.device)
    places = (rows * (rows - 1) // 2 + columns).clamp(0, vector.shape[-1] - 1)
    matrix = vector.index_select(-1, places.flatten()).unflatten(-1, (size, size))
    return matrix.where(columns < rows, 0.0)
