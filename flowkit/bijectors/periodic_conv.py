"""The invertible periodic convolution."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijectors.channel_mixing import random_orthogonal
from flowkit.bijectors.channels import ChannelBijector
from flowkit.ops.precision import at_least_float32, without_autocast

__all__ = ["PeriodicConv2d"]


class PeriodicConv2d(ChannelBijector):
    r"""An invertible convolution of an image that goes on periodically beyond its edges.

    .. math:: z = w * x, \qquad \hat z_f = \hat W_f\, \hat x_f, \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right| = \sum_f \log|\det \hat W_f|

    In the Fourier domain it is a matrix over the channels at each of the ``H W`` frequencies ``f``; that is how both
    directions and the log-determinant are computed, at any height and width. It starts as a random orthogonal matrix
    at the centre of the kernel. Like :class:`~flowkit.Linear`, it is not invertible for every kernel, but nearly all.

    Args:
        channels: number of channels, >= 1.
        kernel_size: height and width of the kernel, odd, >= 1.

    Raises:
        ValueError: an argument is outside its range, or (when called) the input has another number of channels.

    References:
        Hoogeboom, Van den Berg and Welling, "Emerging convolutions for generative normalizing flows", ICML 2019,
        sec. 4.

    Examples:
        >>> layer = PeriodicConv2d(3)
        >>> x = torch.rand(2, 3, 4, 5)
        >>> torch.allclose(layer.inverse(layer(x)[0])[0], x, atol=1e-5)
        True
    """

    takes_context = False

    def __init__(self, channels: int, kernel_size: int = 3) -> None:
        super().__init__(channels, event_dims=3)
        if channels < 1 or kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(
                f"channels is {channels} and kernel_size is {kernel_size}; both are at least 1, and the size is odd"
            )
        weight = torch.zeros(channels, channels, kernel_size, kernel_size)
        weight[:, :, kernel_size // 2, kernel_size // 2] = random_orthogonal(channels)
        self.weight = nn.Parameter(weight)

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x = at_least_float32(x)
        with without_autocast(x.device):
            symbol = self._symbol(x)
            return _from_frequencies(symbol @ _to_frequencies(x)), _log_det(symbol, x)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z = at_least_float32(z)
        with without_autocast(z.device):
            symbol = self._symbol(z)
            return _from_frequencies(torch.linalg.solve(symbol, _to_frequencies(z))), -_log_det(symbol, z)

    def _symbol(self, x: Tensor) -> Tensor:
        """The matrices ``H x W x channels x channels``, one for each frequency."""
        weight = at_least_float32(self.weight)
        rows, columns = (_waves(size, weight.shape[-1], weight) for size in x.shape[-2:])
        return torch.einsum("oikl,hk,wl->hwoi", weight.to(rows.dtype), rows, columns)


def _waves(size: int, taps: int, like: Tensor) -> Tensor:
    """What a shift by each tap is at each frequency, ``size x taps``, complex."""
    frequency = torch.arange(size, dtype=like.dtype, device=like.device)
    shift = torch.arange(taps, dtype=like.dtype, device=like.device) - taps // 2
    angle = 2 * math.pi / size * frequency.unsqueeze(-1) * shift
    return torch.complex(angle.cos(), angle.sin())


def _to_frequencies(x: Tensor) -> Tensor:
    """``... x C x H x W`` to ``... x H x W x C x 1``."""
    # Of no images, torch's transform is an error.
    frequencies = torch.fft.fft2(x) if x.numel() else x + 0j
    return frequencies.movedim(-3, -1).unsqueeze(-1)


def _from_frequencies(x: Tensor) -> Tensor:
    frequencies = x.squeeze(-1).movedim(-1, -3)
    return (torch.fft.ifft2(frequencies) if x.numel() else frequencies).real


def _log_det(symbol: Tensor, x: Tensor) -> Tensor:
    return torch.linalg.slogdet(symbol).logabsdet.sum().expand(x.shape[:-3])
