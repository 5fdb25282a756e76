"""Autoregressive convolutions, and the emerging convolution that is two of them."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.bijectors.chain import Chain
from flowkit.bijectors.channels import ChannelBijector
from flowkit.constants import WithConstants
from flowkit.ops.convolution import conv2d
from flowkit.ops.precision import at_least_float32, without_autocast

__all__ = ["AutoregressiveConv2d", "EmergingConv2d"]


class AutoregressiveConv2d(WithConstants, ChannelBijector):
    r"""A convolution that sees, of each position, the ones before it in the order of reading: its matrix is triangular.

    .. math:: z = (w \odot m) * x, \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right| = H W \sum_c s_c

    The mask ``m`` leaves the rows above, what is to the left in the same row, and at the position itself the channels
    before; the channel itself has the weight :math:`e^{s_c}`. The image is zero outside. ``inverse`` solves the
    triangular system of the whole image: for one of ``n`` numbers, a matrix of ``n x n``, once for a batch. It starts
    as the identity.

    Args:
        channels: number of channels, >= 1.
        kernel_size: height and width of the kernel, odd, >= 1.
        reverse: whether the order is turned round, of positions and of channels.

    Raises:
        ValueError: an argument is outside its range, or (when called) the input has another number of channels.

    References:
        Hoogeboom, Van den Berg and Welling, "Emerging convolutions for generative normalizing flows", ICML 2019,
        sec. 3.1.

    Examples:
        >>> layer = AutoregressiveConv2d(3)
        >>> layer(torch.rand(2, 3, 4, 5))[1]
        tensor([0., 0.], grad_fn=<ExpandBackward0>)
    """

    takes_context = False

    mask: Tensor

    def __init__(self, channels: int, kernel_size: int = 3, reverse: bool = False) -> None:
        super().__init__(channels, event_dims=3)
        if channels < 1 or kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(
                f"channels is {channels} and kernel_size is {kernel_size}; both are at least 1, and the size is odd"
            )
        self.kernel_size = kernel_size
        self.reverse = reverse
        self.weight = nn.Parameter(torch.zeros(channels, channels, kernel_size, kernel_size))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.register_constant("mask", lambda: _mask(channels, kernel_size, reverse))

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x = at_least_float32(x)
        with without_autocast(x.device):
            return self._convolved(x), self._log_det(x)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z = at_least_float32(z)
        with without_autocast(z.device):
            shape = z.shape[-3:]
            unit = torch.eye(shape.numel(), dtype=z.dtype, device=z.device)
            # Row i is what the i-th number alone becomes, numbers in the order of reading, channels last.
            matrix = _flat(self._convolved(_image(unit, shape)))
            x = torch.linalg.solve_triangular(matrix, _flat(z.reshape(-1, *shape)), upper=not self.reverse, left=False)
            return _image(x, shape).reshape(z.shape), -self._log_det(z)

    def _convolved(self, x: Tensor) -> Tensor:
        weight = at_least_float32(self.weight) * self.mask
        centre = self.kernel_size // 2
        diagonal = torch.diag(at_least_float32(self.log_scale).exp())
        weight = weight + F.pad(diagonal[..., None, None], (centre, centre, centre, centre))
        return conv2d(x, weight)

    def _log_det(self, x: Tensor) -> Tensor:
        return (at_least_float32(self.log_scale).sum() * x.shape[-1] * x.shape[-2]).expand(x.shape[:-3])


class EmergingConv2d(Chain):
    r"""An emerging convolution: two autoregressive ones in opposite orders, so that it sees all around a position.

    .. math:: z = (w_2 \odot m_2) * ((w_1 \odot m_1) * x)

    Args:
        channels: number of channels, >= 1.
        kernel_size: height and width of either kernel, odd, >= 1; together they see ``2 * kernel_size - 1``.

    Raises:
        ValueError: an argument is outside its range, or (when called) the input has another number of channels.

    References:
        Hoogeboom, Van den Berg and Welling, "Emerging convolutions for generative normalizing flows", ICML 2019,
        sec. 3.2.

    Examples:
        >>> layer = EmergingConv2d(3)
        >>> x = torch.rand(2, 3, 4, 5)
        >>> torch.allclose(layer.inverse(layer(x)[0])[0], x, atol=1e-5)
        True
    """

    def __init__(self, channels: int, kernel_size: int = 3) -> None:
        first, second = (AutoregressiveConv2d(channels, kernel_size, reverse) for reverse in (False, True))
        super().__init__([first, second])


def _mask(channels: int, kernel_size: int, reverse: bool) -> Tensor:
    """One for the weights that count, but for the channel itself: ``channels x channels x size x size``."""
    taps = torch.arange(kernel_size * kernel_size).view(kernel_size, kernel_size)
    before = (taps < taps[kernel_size // 2, kernel_size // 2]).float().expand(channels, channels, -1, -1).clone()
    before[:, :, kernel_size // 2, kernel_size // 2] = torch.ones(channels, channels).tril(-1)
    return before.flip(0, 1, 2, 3) if reverse else before


def _flat(images: Tensor) -> Tensor:
    return images.movedim(-3, -1).flatten(-3)


def _image(rows: Tensor, shape: torch.Size) -> Tensor:
    channels, height, width = shape
    return rows.view(-1, height, width, channels).movedim(-1, -3)
