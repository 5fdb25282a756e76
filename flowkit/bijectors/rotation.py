"""A rotation of the channels by the matrix exponential."""

import torch
from torch import Tensor, nn

from flowkit.bijectors.channel_mixing import ChannelMixing
from flowkit.ops.precision import at_least_float32

__all__ = ["Rotation"]


class Rotation(ChannelMixing):
    r"""A rotation of the channels, determinant 1, by the matrix exponential: log-determinant 0.

    .. math:: z = e^{A} x, \qquad A = S - S^\top

    ``S`` is any strictly lower triangular matrix. Every rotation is reached; the inverse is the transpose.

    Args:
        channels: number of channels, >= 1. ``S`` starts at random, its entries of variance ``1 / channels``: rotations
            by angles up to about two radians.
        event_dims: 3 for images, 1 for vectors.

    Raises:
        ValueError: ``channels`` is under 1, or (when called) the input has another number of channels.

    References:
        Golinski, Lezcano-Casado and Rainforth, Improving normalizing flows via better orthogonal parameterizations,
        2019.

    Examples:
        >>> layer = Rotation(3)
        >>> torch.allclose(layer.weight @ layer.weight.T, torch.eye(3), atol=1e-6)
        True
    """

    keeps_lengths = True

    def __init__(self, channels: int, event_dims: int = 1) -> None:
        super().__init__(channels, event_dims)
        # Only the strict lower triangle is read.
        self.lower = nn.Parameter(torch.randn(channels, channels).tril(-1) / channels**0.5)

    @property
    def weight(self) -> Tensor:
        """The matrix, channels x channels, a rotation."""
        return self._matrix()

    def _matrix(self) -> Tensor:
        lower = at_least_float32(self.lower).tril(-1)
        return torch.linalg.matrix_exp(lower - lower.mT)

    def _log_abs_det(self) -> Tensor:
        return at_least_float32(self.lower).new_zeros(())

    def _solve(self, z: Tensor) -> Tensor:
        return self._mix(self._matrix().mT, z)
