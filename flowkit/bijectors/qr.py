"""A matrix over the channels by an orthogonal and a triangular factor."""

import torch
from torch import Tensor, nn

from flowkit.bijectors.channel_mixing import ChannelMixing
from flowkit.bijectors.householder import householder_product, random_reflections
from flowkit.ops.precision import at_least_float32

__all__ = ["QRLinear"]


class QRLinear(ChannelMixing):
    r"""A matrix over the channels in QR form: :math:`z = Q (R + \mathrm{diag}(e^{s}))\, x`.

    ``Q`` is a product of Householder reflections, ``R`` strictly upper triangular. The log-determinant is
    :math:`\sum s` times the number of positions; the inverse is a product with :math:`Q^\top` and a triangular solve.
    The matrix is invertible whatever the parameters are, and no permutation or sign is fixed in advance.

    Args:
        channels: number of channels, >= 1. The matrix starts orthogonal, at random.
        reflections: how many reflections make ``Q``, >= 1; ``None`` for as many as channels.
        event_dims: 3 for images, 1 for vectors.

    Raises:
        ValueError: an argument is under 1, or (when called) the input has another number of channels.

    References:
        Hoogeboom, van den Berg and Welling, Emerging convolutions for generative normalizing flows, 2019.

    Examples:
        >>> layer = QRLinear(3)
        >>> x = torch.rand(5, 3)
        >>> torch.allclose(layer.inverse(layer(x)[0])[0], x, atol=1e-5)
        True
    """

    def __init__(self, channels: int, reflections: int | None = None, event_dims: int = 1) -> None:
        super().__init__(channels, event_dims)
        self.vectors = nn.Parameter(random_reflections(channels, reflections))
        # Only the strict upper triangle is read.
        self.upper = nn.Parameter(torch.zeros(channels, channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))

    @property
    def weight(self) -> Tensor:
        """The matrix, channels x channels."""
        return self._matrix()

    def _matrix(self) -> Tensor:
        return householder_product(at_least_float32(self.vectors)) @ self._upper()

    def _log_abs_det(self) -> Tensor:
        return at_least_float32(self.log_scale).sum()

    def _solve(self, z: Tensor) -> Tensor:
        return self._on_rows(self._solve_rows, z)

    def _solve_rows(self, rows: Tensor) -> Tensor:
        # One position to a row, so the factors stand transposed on the right, and the transpose of Q undoes Q.
        rows = rows @ householder_product(at_least_float32(self.vectors))
        return torch.linalg.solve_triangular(self._upper().mT, rows, upper=False, left=False)

    def _upper(self) -> Tensor:
        return at_least_float32(self.upper).triu(1) + torch.diag(at_least_float32(self.log_scale).exp())
