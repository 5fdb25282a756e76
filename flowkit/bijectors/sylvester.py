"""The Sylvester flow."""

from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijectors.channels import ChannelBijector
from flowkit.bijectors.householder import householder_product, random_reflections
from flowkit.nn.context_parameters import ContextParameters
from flowkit.ops.precision import at_least_float32, without_autocast
from flowkit.ops.root_finding import monotone_root

__all__ = ["Sylvester"]

# The product of two diagonal entries is over -0.99, so that no direction is squeezed by more than a hundred times.
LARGEST_DIAGONAL = 0.99**0.5
# The ends of a bracket are rounded: a little farther out, they are beyond the root.
BEYOND = 1e-3


class Sylvester(ChannelBijector):
    r"""A Sylvester flow: a layer of ``rank`` hidden units added to its input, as several planar flows at once.

    .. math:: z = x + Q \tilde R \tanh(R\, Q^\top x + b), \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right| =
              \sum_i \log\left(1 + R_{ii} \tilde R_{ii}\, (1 - \tanh^2(\cdot)_i)\right)

    ``Q`` has orthonormal columns, as a product of Householder reflections; ``R`` and :math:`\tilde R` are upper
    triangular, their diagonals hyperbolic tangents, so that the map is invertible. The inverse finds the hidden units
    one after another, from the last, each the root of one increasing function
    (:func:`~flowkit.ops.monotone_root`). It starts near the identity.

    Args:
        features: entries ``D`` of the vector, at least 1.
        rank: hidden units ``M``, from 1 to ``D``.
        conditioner: a module from the context to :math:`2 M^2 + M` numbers, added to the layer's own :math:`R`,
            :math:`\tilde R` and :math:`b`, in that order, row by row; ``None`` for a layer without context. Of the
            matrices, the upper triangles alone are read.

    Raises:
        ValueError: ``rank`` is outside its range; (when called) an input, or the conditioner's output, of another
            number of entries, or no context where there is a conditioner.

    References:
        Van den Berg, Hasenclever, Tomczak and Welling, "Sylvester normalizing flows for variational inference", UAI
        2018, eq. 8 to 13 (Householder Sylvester flows).

    Examples:
        >>> layer = Sylvester(4, rank=2)
        >>> x = torch.rand(5, 4)
        >>> z, log_det = layer(x)
        >>> torch.allclose(layer.inverse(z)[0], x, atol=1e-6)
        True
    """

    def __init__(self, features: int, rank: int, conditioner: nn.Module | None = None) -> None:
        super().__init__(features, event_dims=1)
        if not 1 <= rank <= features:
            raise ValueError(f"rank is {rank}; it must lie in 1 ... {features}, the number of features")
        self.rank = rank
        self.vectors = nn.Parameter(random_reflections(features, rank))
        # Were both matrices 0, no gradient would reach either.
        start = 0.1 * torch.randn(2 * rank * rank + rank)
        self.source = ContextParameters(start, conditioner)

    def prepare(self, context: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        r""":math:`Q`, :math:`R`, :math:`\tilde R` and :math:`b`, all but the first ``batch x ...``."""
        raw = at_least_float32(self.source(context))
        size = self.rank * self.rank
        first, second, bias = raw.split([size, size, self.rank], -1)
        square = (self.rank, self.rank)
        with without_autocast(raw.device):
            basis = householder_product(at_least_float32(self.vectors))[:, : self.rank]
        return basis, _triangular(first.unflatten(-1, square)), _triangular(second.unflatten(-1, square)), bias

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        basis, inner, outer, bias = prepared
        x = at_least_float32(x)
        with without_autocast(x.device):
            hidden = torch.tanh(_times(inner, x @ basis) + bias)
            return x + _times(outer, hidden) @ basis.mT, _log_det(inner, outer, hidden).expand(x.shape[:-1])

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        basis, inner, outer, bias = prepared
        z = at_least_float32(z)
        with without_autocast(z.device):
            hidden = self._hidden(z @ basis, inner, outer, bias)
            return z - _times(outer, hidden) @ basis.mT, -_log_det(inner, outer, hidden).expand(z.shape[:-1])

    def _hidden(self, image: Tensor, inner: Tensor, outer: Tensor, bias: Tensor) -> Tensor:
        """The hidden units from the latent in the basis ``Q``, by back substitution."""
        found, hidden = image[..., :0], image[..., :0]
        for i in reversed(range(self.rank)):
            a, b = inner[..., i, i], outer[..., i, i]
            shift = bias[..., i] + (inner[..., i, i + 1 :] * found).sum(-1)
            target = image[..., i] - (outer[..., i, i + 1 :] * hidden).sum(-1)

            # Its result's type as a string: torch before 2.11 traces no subscripted one.
            def value_at(v: Tensor, a: Tensor = a, b: Tensor = b, shift: Tensor = shift) -> "tuple[Tensor, Tensor]":
                tanh = torch.tanh(a * v + shift)
                return v + b * tanh, torch.log1p(a * b * (1 - tanh.square()))

            reach = (1 + BEYOND) * (b.abs() + BEYOND * target.abs())
            root = monotone_root(value_at, target, target - reach, target + reach)
            found = torch.cat([root.unsqueeze(-1), found], -1)
            hidden = torch.cat([torch.tanh(a * root + shift).unsqueeze(-1), hidden], -1)
        return hidden


def _triangular(raw: Tensor) -> Tensor:
    diagonal = LARGEST_DIAGONAL * torch.tanh(raw.diagonal(dim1=-2, dim2=-1))
    return raw.triu(1) + torch.diag_embed(diagonal)


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    return torch.einsum("...ij,...j->...i", matrix, vector)


def _log_det(inner: Tensor, outer: Tensor, hidden: Tensor) -> Tensor:
    gain = inner.diagonal(dim1=-2, dim2=-1) * outer.diagonal(dim1=-2, dim2=-1)
    return torch.log1p(gain * (1 - hidden.square())).sum(-1)
