"""Invertible 1x1 convolutions."""

from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijectors.channels import ChannelBijector

__all__ = ["Conv1x1", "LUConv1x1"]


class _Mixing(ChannelBijector):
    """A matrix applied to the channels of every position."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        if channels < 1:
            raise ValueError(f"channels is {channels}; a 1x1 convolution needs at least 1")


def _log_det_of_positions(log_det: Tensor, x: Tensor) -> Tensor:
    total = log_det * (x.shape[-2] * x.shape[-1])
    return total.to(torch.promote_types(total.dtype, torch.float32)).expand(x.shape[:-3])


class Conv1x1(_Mixing):
    r"""An invertible 1x1 convolution with a dense matrix: :math:`z_{hw} = W x_{hw}` (Glow, sec. 3.2).

    The log-determinant is :math:`H W \log|\det W|`; the inverse solves :math:`W x = z`.

    Args:
        channels: number of channels; ``W`` is ``channels x channels`` and starts as a random rotation.

    Raises:
        ValueError: the input has another number of channels.

    Examples:
        >>> conv = Conv1x1(3)
        >>> x = torch.rand(2, 3, 4, 5)
        >>> torch.allclose(conv.inverse(conv(x)[0])[0], x, atol=1e-5)
        True
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.weight = nn.Parameter(_random_rotation(channels))

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        with torch.autocast(x.device.type, enabled=False):
            z = (self.weight @ x.flatten(-2)).unflatten(-1, x.shape[-2:])
            return z, _log_det_of_positions(torch.linalg.slogdet(self.weight)[1], x)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        with torch.autocast(z.device.type, enabled=False):
            x = torch.linalg.solve(self.weight, z.flatten(-2)).unflatten(-1, z.shape[-2:])
            return x, _log_det_of_positions(-torch.linalg.slogdet(self.weight)[1], z)


class LUConv1x1(_Mixing):
    r"""An invertible 1x1 convolution in LU form: :math:`W = P L (U + \mathrm{diag}(\sigma e^{s}))` (Glow, sec. 3.2).

    ``P`` is a fixed permutation, ``L`` unit lower triangular, ``U`` strictly upper triangular, the signs fixed. The
    log-determinant is :math:`H W \sum s`; the inverse is two triangular solves.

    Args:
        channels: number of channels. ``W`` starts as a random rotation.

    Raises:
        ValueError: the input has another number of channels.

    Examples:
        >>> conv = LUConv1x1(3)
        >>> x = torch.rand(2, 3, 4, 5)
        >>> torch.allclose(conv.inverse(conv(x)[0])[0], x, atol=1e-5)
        True
    """

    permutation: Tensor
    sign: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        P, L, U = torch.linalg.lu(_random_rotation(channels))
        diagonal = U.diagonal()
        # Only the strict triangles of these two matrices are read.
        self.lower = nn.Parameter(L.tril(-1))
        self.upper = nn.Parameter(U.triu(1))
        self.log_scale = nn.Parameter(diagonal.abs().log())
        self.register_buffer("sign", diagonal.sign())
        self.register_buffer("permutation", P.argmax(1))

    @property
    def weight(self) -> Tensor:
        """The matrix ``W``, channels x channels."""
        return (self._lower() @ self._upper())[self.permutation]

    def _lower(self) -> Tensor:
        return self.lower.tril(-1) + torch.eye(self.channels, dtype=self.lower.dtype, device=self.lower.device)

    def _upper(self) -> Tensor:
        return self.upper.triu(1) + torch.diag(self.sign * self.log_scale.exp())

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        with torch.autocast(x.device.type, enabled=False):
            z = (self.weight @ x.flatten(-2)).unflatten(-1, x.shape[-2:])
            return z, _log_det_of_positions(self.log_scale.sum(), x)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        with torch.autocast(z.device.type, enabled=False):
            columns = z.flatten(-2)[..., self.permutation.argsort(), :]
            columns = torch.linalg.solve_triangular(self._lower(), columns, upper=False, unitriangular=True)
            columns = torch.linalg.solve_triangular(self._upper(), columns, upper=True)
            return columns.unflatten(-1, z.shape[-2:]), _log_det_of_positions(-self.log_scale.sum(), z)


def _random_rotation(channels: int) -> Tensor:
    return torch.linalg.qr(torch.randn(channels, channels))[0]
