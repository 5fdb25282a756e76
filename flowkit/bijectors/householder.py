"""Products of Householder reflections over the channels."""

import torch
from torch import Tensor, nn

from flowkit.bijectors.channel_mixing import ChannelMixing
from flowkit.ops.precision import at_least_float32

__all__ = ["Householder", "householder_product", "random_reflections"]


class Householder(ChannelMixing):
    r"""An orthogonal matrix over the channels as a product of reflections: log-determinant 0.

    .. math:: z = H_1 H_2 \cdots H_K\, x, \qquad H_k = I - 2\, \frac{v_k v_k^\top}{v_k^\top v_k}

    The product is orthogonal whatever the vectors are (short of zero), and the inverse is its transpose. With
    ``K = channels`` reflections every orthogonal matrix whose determinant has the sign of :math:`(-1)^K` is reached.

    Args:
        channels: number of channels, >= 1.
        reflections: ``K``, >= 1; ``None`` for as many as channels. Their vectors start at random, of length 1.
        event_dims: 3 for images, 1 for vectors.

    Raises:
        ValueError: an argument is under 1, or (when called) the input has another number of channels.

    References:
        Tomczak and Welling, Improving variational auto-encoders using Householder flow, 2016.
        Joffrain et al., Accumulating Householder transformations, revisited, 2006 (the product at once).

    Examples:
        >>> layer = Householder(3, reflections=2)
        >>> torch.allclose(layer.weight @ layer.weight.T, torch.eye(3), atol=1e-6)
        True
    """

    keeps_lengths = True

    def __init__(self, channels: int, reflections: int | None = None, event_dims: int = 1) -> None:
        super().__init__(channels, event_dims)
        self.vectors = nn.Parameter(random_reflections(channels, reflections))

    @property
    def weight(self) -> Tensor:
        """The matrix, channels x channels, orthogonal."""
        return self._matrix()

    def _matrix(self) -> Tensor:
        return householder_product(at_least_float32(self.vectors))

    def _log_abs_det(self) -> Tensor:
        return at_least_float32(self.vectors).new_zeros(())

    def _solve(self, z: Tensor) -> Tensor:
        return self._mix(self._matrix().mT, z)


def householder_product(vectors: Tensor) -> Tensor:
    r"""The product of the reflections :math:`I - 2 v_k v_k^\top / v_k^\top v_k`, in the order of the vectors.

    All at once: :math:`I - V T V^\top` with :math:`T^{-1}` the upper triangle of :math:`V^\top V`, its diagonal
    halved, for the normalised vectors as the columns of ``V``.

    Args:
        vectors: ``reflections x channels``, none of them zero; their lengths do not matter.

    Returns:
        The product, ``channels x channels``.

    Examples:
        >>> householder_product(torch.tensor([[1.0, 0.0], [0.0, 3.0]]))
        tensor([[-1.,  0.],
                [ 0., -1.]])
    """
    rows = vectors / torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    count, channels = rows.shape
    half = torch.eye(count, dtype=rows.dtype, device=rows.device) / 2
    triangle = (rows @ rows.mT).triu(1) + half
    identity = torch.eye(channels, dtype=rows.dtype, device=rows.device)
    return identity - rows.mT @ torch.linalg.solve_triangular(triangle, rows, upper=True)


def random_reflections(channels: int, reflections: int | None) -> Tensor:
    """Random vectors of length 1 to reflect by, from PyTorch's global source of randomness.

    Args:
        channels: the vectors' length.
        reflections: how many, >= 1; ``None`` for as many as channels.

    Returns:
        A tensor ``reflections x channels``.

    Raises:
        ValueError: ``reflections`` is under 1.

    Examples:
        >>> random_reflections(3, None).shape
        torch.Size([3, 3])
    """
    count = channels if reflections is None else reflections
    if count < 1:
        raise ValueError(f"reflections is {count}; a product of reflections needs at least 1")
    return torch.nn.functional.normalize(torch.randn(count, channels), dim=-1)
