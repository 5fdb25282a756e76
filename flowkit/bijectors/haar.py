"""The Haar wavelet: space to channels, the average apart from the details."""

from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import Bijector, Shape

__all__ = ["HaarWavelet"]


class HaarWavelet(Bijector[Tensor, Tensor]):
    r"""One level of the orthonormal Haar wavelet, ``C x H x W`` to ``4C x H/2 x W/2``: log-determinant 0.

    A block of 2x2 pixels of one channel becomes its average and three details,

    .. math::
        \begin{pmatrix} z_0 \\ z_1 \\ z_2 \\ z_3 \end{pmatrix} = \frac12
        \begin{pmatrix} 1 & 1 & 1 & 1 \\ 1 & -1 & 1 & -1 \\ 1 & 1 & -1 & -1 \\ 1 & -1 & -1 & 1 \end{pmatrix}
        \begin{pmatrix} x_{00} \\ x_{01} \\ x_{10} \\ x_{11} \end{pmatrix},

    where :math:`x_{01}` is the pixel to the right of :math:`x_{00}`: twice the average, then the horizontal, the
    vertical and the diagonal difference. The matrix is its own inverse.

    The channels of the result are ordered by band: :math:`z_0` of all channels, then :math:`z_1` of all channels, and
    so on. Layers that keep the first channels (a coupling, factoring out) then keep the image at half its size, and
    work on the details given it. ``Squeeze`` orders by channel.

    Raises:
        ValueError: (when called) height or width is odd, or, for the inverse, the channels are no multiple of 4.

    References:
        Yu, Derpanis and Brubaker, Wavelet flow: fast training of high resolution normalizing flows, 2020.

    Examples:
        >>> z, log_det = HaarWavelet()(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
        >>> z.flatten(), log_det
        (tensor([ 5., -1., -2.,  0.]), tensor(0.))
    """

    event_dims = 3
    takes_context = False

    def output_shape(self, shape: Shape) -> Shape:
        """``C x H x W`` to ``4C x H/2 x W/2``."""
        channels, height, width = shape
        if height % 2 or width % 2:
            raise ValueError(f"HaarWavelet needs an even height and width, got the event shape {tuple(shape)}")
        return 4 * channels, height // 2, width // 2

    def input_shape(self, shape: Shape) -> Shape:
        """``4C x H x W`` to ``C x 2H x 2W``."""
        channels, height, width = shape
        if channels % 4:
            raise ValueError(f"HaarWavelet is inverted on a multiple of 4 channels, got {tuple(shape)}")
        return channels // 4, 2 * height, 2 * width

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        top, bottom = x[..., 0::2, :], x[..., 1::2, :]
        corners = top[..., 0::2], top[..., 1::2], bottom[..., 0::2], bottom[..., 1::2]
        return torch.cat(_butterfly(*corners), -3), _zero_log_det(x)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        a, b, c, d = _butterfly(*z.chunk(4, -3))
        top, bottom = torch.stack([a, b], -1).flatten(-2), torch.stack([c, d], -1).flatten(-2)
        return torch.stack([top, bottom], -2).flatten(-3, -2), _zero_log_det(z)


def _butterfly(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The matrix above, by eight additions in place of twelve."""
    sum_top, difference_top, sum_bottom, difference_bottom = a + b, a - b, c + d, c - d
    return (
        (sum_top + sum_bottom) / 2,
        (difference_top + difference_bottom) / 2,
        (sum_top - sum_bottom) / 2,
        (difference_top - difference_bottom) / 2,
    )


def _zero_log_det(x: Tensor) -> Tensor:
    return x.new_zeros(x.shape[:-3])
