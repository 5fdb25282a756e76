"""A dense matrix over the channels."""

import torch
from torch import Tensor, nn

from flowkit.bijectors.channel_mixing import ChannelMixing, random_orthogonal
from flowkit.ops.precision import at_least_float32

__all__ = ["Linear"]


class Linear(ChannelMixing):
    r"""A dense matrix over the channels: :math:`z = W x`.

    The log-determinant is :math:`\log|\det W|` times the number of positions; the inverse solves :math:`W x = z`.
    Nothing keeps ``W`` from becoming singular in training: :class:`~flowkit.bijectors.lu.LULinear` cannot.

    Args:
        channels: number of channels, >= 1; ``W`` is ``channels x channels`` and starts as a random orthogonal matrix.
        event_dims: 3 for images, 1 for vectors.

    Raises:
        ValueError: ``channels`` is under 1, or (when called) the input has another number of channels.

    References:
        Kingma and Dhariwal, Glow: generative flow with invertible 1x1 convolutions, 2018, sec. 3.2.

    Examples:
        >>> layer = Linear(3)
        >>> x = torch.rand(5, 3)
        >>> torch.allclose(layer.inverse(layer(x)[0])[0], x, atol=1e-5)
        True
    """

    def __init__(self, channels: int, event_dims: int = 1) -> None:
        super().__init__(channels, event_dims)
        self.weight = nn.Parameter(random_orthogonal(channels))

    def _matrix(self) -> Tensor:
        return at_least_float32(self.weight)

    def _log_abs_det(self) -> Tensor:
        return torch.linalg.slogdet(self._matrix())[1]

    def _solve(self, z: Tensor) -> Tensor:
        return self._on_rows(lambda rows: torch.linalg.solve(self._matrix(), rows.mT).mT, z)
