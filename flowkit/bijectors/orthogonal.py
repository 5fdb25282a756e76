"""An orthogonal matrix over the channels by the Cayley transform."""

import torch
from torch import Tensor, nn

from flowkit.bijectors.channel_mixing import ChannelMixing
from flowkit.bijectors.householder import householder_product, random_reflections
from flowkit.ops.precision import at_least_float32

__all__ = ["Orthogonal"]


class Orthogonal(ChannelMixing):
    r"""An orthogonal matrix over the channels by the Cayley transform: log-determinant 0.

    .. math:: z = (I + A)^{-1} (I - A)\, Q_0\, x, \qquad A = S - S^\top

    ``S`` is any strictly lower triangular matrix and starts at 0; :math:`Q_0` is a fixed random orthogonal matrix, so
    the layer mixes from the start. The matrix is worked out of ``S`` anew at each call: it is orthogonal to rounding
    however long one trains, and the inverse is its transpose. Every orthogonal matrix is reached whose quotient by
    :math:`Q_0` does not have -1 for an eigenvalue.

    Args:
        channels: number of channels, >= 1.
        event_dims: 3 for images, 1 for vectors.

    Raises:
        ValueError: ``channels`` is under 1, or (when called) the input has another number of channels.

    References:
        Golinski, Lezcano-Casado and Rainforth, Improving normalizing flows via better orthogonal parameterizations,
        2019.

    Examples:
        >>> layer = Orthogonal(3)
        >>> torch.allclose(layer.weight @ layer.weight.T, torch.eye(3), atol=1e-6)
        True
    """

    keeps_lengths = True

    start: Tensor

    def __init__(self, channels: int, event_dims: int = 1) -> None:
        super().__init__(channels, event_dims)
        # Only the strict lower triangle is read.
        self.lower = nn.Parameter(torch.zeros(channels, channels))
        # Its reflections and not the matrix itself, which would stay orthogonal to float32 only in a module that
        # is made in float32 and moved to float64.
        self.register_buffer("start", random_reflections(channels, None))

    @property
    def weight(self) -> Tensor:
        """The matrix, channels x channels, orthogonal."""
        return self._matrix()

    def _matrix(self) -> Tensor:
        lower = at_least_float32(self.lower).tril(-1)
        skew = lower - lower.mT
        identity = torch.eye(self.channels, dtype=skew.dtype, device=skew.device)
        return torch.linalg.solve(
            identity + skew, (identity - skew) @ householder_product(at_least_float32(self.start))
        )

    def _log_abs_det(self) -> Tensor:
        return at_least_float32(self.lower).new_zeros(())

    def _solve(self, z: Tensor) -> Tensor:
        return self._mix(self._matrix().mT, z)
