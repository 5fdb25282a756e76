"""A matrix over the channels by its triangular factors."""

import torch
from torch import Tensor, nn

from flowkit.bijectors.channel_mixing import ChannelMixing, random_orthogonal
from flowkit.ops.precision import at_least_float32
from flowkit.ops.values import readable

__all__ = ["LULinear"]


class LULinear(ChannelMixing):
    r"""A matrix over the channels in LU form: :math:`z = P L (U + \mathrm{diag}(\sigma e^{s}))\, x`.

    ``P`` is a fixed permutation, ``L`` unit lower triangular, ``U`` strictly upper triangular, the signs
    :math:`\sigma` fixed. The log-determinant is :math:`\sum s` times the number of positions; the inverse is two
    triangular solves. The matrix is invertible whatever the parameters are.

    Args:
        channels: number of channels, >= 1.
        event_dims: 3 for images, 1 for vectors.
        start: the matrix to start as, ``channels x channels``, invertible; ``None`` for a random orthogonal matrix.
            From the identity, as ``torch.eye(channels)``, a flow of layers that start as the identity leaves its data
            as they are, which is learnt from faster where these are standardised already.

    Raises:
        ValueError: ``channels`` is under 1, ``start`` is of another shape or singular, or (when called) the input has
            another number of channels.

    References:
        Kingma and Dhariwal, Glow: generative flow with invertible 1x1 convolutions, 2018, sec. 3.2, eq. 10.

    Examples:
        >>> layer = LULinear(3)
        >>> x = torch.rand(5, 3)
        >>> torch.allclose(layer.inverse(layer(x)[0])[0], x, atol=1e-5)
        True
    """

    permutation: Tensor
    sign: Tensor

    def __init__(self, channels: int, event_dims: int = 1, start: Tensor | None = None) -> None:
        super().__init__(channels, event_dims)
        if start is not None and start.shape != (channels, channels):
            raise ValueError(f"start has the shape {tuple(start.shape)}; it must be {channels} x {channels}")
        P, L, U = torch.linalg.lu(random_orthogonal(channels) if start is None else start.detach())
        diagonal = U.diagonal()
        if readable(diagonal) and not diagonal.all():
            raise ValueError("start is singular; the matrix must have an inverse to start from")
        # Only the strict triangles of these two matrices are read.
        self.lower = nn.Parameter(L.tril(-1))
        self.upper = nn.Parameter(U.triu(1))
        self.log_scale = nn.Parameter(diagonal.abs().log())
        self.register_buffer("sign", diagonal.sign())
        self.register_buffer("permutation", P.argmax(1))

    @property
    def weight(self) -> Tensor:
        """The matrix, channels x channels."""
        return self._matrix()

    def _matrix(self) -> Tensor:
        upper = self._upper()
        # (L + 1) U, L being what is below the diagonal.
        return torch.addmm(upper, self.lower.tril(-1).to(upper), upper)[self.permutation]

    def _log_abs_det(self) -> Tensor:
        return at_least_float32(self.log_scale).sum()

    def _solve(self, z: Tensor) -> Tensor:
        if self.event_dims == 1:
            return self._on_rows(self._solve_rows, z)
        # An image has many positions for few channels: one inverse and a product take a fraction of two solves for
        # all. From its triangular factors, in the type of the data, it is as good as the solves.
        unit = torch.eye(self.channels, dtype=z.dtype, device=z.device)
        return self._mix(self._solve_rows(unit).mT, z)

    def _solve_rows(self, rows: Tensor) -> Tensor:
        # One position to a row, so the factors stand transposed on the right.
        rows = rows[:, self.permutation.argsort()]
        rows = torch.linalg.solve_triangular(
            self.lower.tril(-1).to(rows).mT, rows, upper=True, left=False, unitriangular=True
        )
        return torch.linalg.solve_triangular(self._upper().to(rows).mT, rows, upper=False, left=False)

    def _upper(self) -> Tensor:
        # In float32 at least, as the scales are.
        return self.upper.triu(1) + torch.diag(self.sign * at_least_float32(self.log_scale).exp())
