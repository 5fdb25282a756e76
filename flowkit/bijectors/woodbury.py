"""A diagonal matrix over the channels and one of low rank."""

import torch
from torch import Tensor, nn

from flowkit.bijectors.channel_mixing import ChannelMixing
from flowkit.ops.precision import at_least_float32

__all__ = ["Woodbury"]


class Woodbury(ChannelMixing):
    r"""A diagonal matrix and one of rank ``r``, for many channels: :math:`z = (D + U V^\top)\, x`.

    .. math:: D = \mathrm{diag}(e^{s}), \qquad V = U\,(I + K^\top), \qquad K^\top = -K

    ``U`` is ``channels x r`` and ``K`` skew. As :math:`x^\top U (I + K) U^\top x = |U^\top x|^2`, the matrix has a
    positive definite symmetric part: it is invertible whatever the parameters are, which a ``V`` of its own would not
    ensure. Product, log-determinant and inverse cost of the order of ``channels * r``, by

    .. math::
        \log \det W = \sum s + \log \det M, \qquad
        W^{-1} = D^{-1} - D^{-1} U M^{-1} V^\top D^{-1}, \qquad
        M = I + V^\top D^{-1} U .

    Args:
        channels: number of channels, >= 1.
        rank: ``r``, >= 1 and at most ``channels``. ``U`` starts at random and small: the matrix is near the identity.
        event_dims: 3 for images, 1 for vectors.

    Raises:
        ValueError: an argument is outside its range, or (when called) the input has another number of channels.

    References:
        Lu and Huang, Woodbury transformations for deep generative flows, 2020 (with ``D`` the identity and
        ``U``, ``V`` free).

    Examples:
        >>> layer = Woodbury(5, rank=2)
        >>> x = torch.rand(7, 5)
        >>> torch.allclose(layer.inverse(layer(x)[0])[0], x, atol=1e-5)
        True
    """

    def __init__(self, channels: int, rank: int, event_dims: int = 1) -> None:
        super().__init__(channels, event_dims)
        if not 1 <= rank <= channels:
            raise ValueError(f"rank is {rank}; it must lie in 1 ... {channels}, the number of channels")
        self.log_scale = nn.Parameter(torch.zeros(channels))
        # At 0 no gradient would reach either factor; columns of length 1/2 change a direction by a quarter.
        self.factor = nn.Parameter(torch.randn(channels, rank) / (2 * channels**0.5))
        # Only the strict lower triangle is read.
        self.lower = nn.Parameter(torch.zeros(rank, rank))

    @property
    def weight(self) -> Tensor:
        """The matrix, channels x channels."""
        return self._matrix()

    @property
    def _own_factor(self) -> Tensor:
        return at_least_float32(self.factor)

    @property
    def _own_log_scale(self) -> Tensor:
        return at_least_float32(self.log_scale)

    def _matrix(self) -> Tensor:
        return torch.diag(self._own_log_scale.exp()) + self._own_factor @ self._second_factor()

    def _log_abs_det(self) -> Tensor:
        return self._own_log_scale.sum() + torch.linalg.slogdet(self._capacitance())[1]

    def _multiply(self, x: Tensor) -> Tensor:
        return self._scaled(x, self._own_log_scale) + self._mix(self._own_factor, self._mix(self._second_factor(), x))

    def _solve(self, z: Tensor) -> Tensor:
        z = self._scaled(z, -self._own_log_scale)
        inner = torch.linalg.solve(self._capacitance(), self._second_factor())
        return z - self._scaled(self._mix(self._own_factor, self._mix(inner, z)), -self._own_log_scale)

    def _second_factor(self) -> Tensor:
        """The transpose of ``V``, r x channels."""
        lower = at_least_float32(self.lower).tril(-1)
        return self._own_factor.mT + (lower - lower.mT) @ self._own_factor.mT

    def _capacitance(self) -> Tensor:
        """The matrix ``M``, r x r."""
        identity = torch.eye(len(self.lower), dtype=self._own_factor.dtype, device=self.lower.device)
        return identity + self._second_factor() @ ((-self._own_log_scale).exp()[:, None] * self._own_factor)

    def _scaled(self, x: Tensor, log_scale: Tensor) -> Tensor:
        return x * log_scale.exp().view(-1, *[1] * (self.event_dims - 1))
