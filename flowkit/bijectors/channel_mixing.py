"""What the layers that mix channels by a matrix share."""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.bijectors.channels import ChannelBijector
from flowkit.ops.precision import without_autocast

__all__ = ["ChannelMixing", "random_orthogonal"]


class ChannelMixing(ChannelBijector):
    r"""One invertible matrix over the channels, applied at every position.

    .. math:: z_{n} = W x_{n}, \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right| = N \log|\det W|,

    where ``n`` runs over the ``N`` positions of an event: one for a vector, ``H W`` for an image, of which this is
    the 1x1 convolution. A subclass parametrises ``W`` by writing :meth:`_matrix`, :meth:`_log_abs_det` and
    :meth:`_solve`, and :meth:`_multiply` where ``W`` need not be formed. All of it stays out of autocast and out of
    half precision.

    Args:
        channels: number of channels, the first event dimension, >= 1.
        event_dims: 3 for images, 1 for vectors.

    Raises:
        ValueError: ``channels`` is under 1, or (when called) the input has another number of channels.

    Examples:
        >>> class Double(ChannelMixing):
        ...     def _matrix(self):
        ...         return 2 * torch.eye(self.channels)
        ...     def _log_abs_det(self):
        ...         return self.channels * torch.tensor(2.0).log()
        ...     def _solve(self, z):
        ...         return z / 2
        >>> Double(3)(torch.ones(2, 3))[1]
        tensor([2.0794, 2.0794])
    """

    takes_context = False

    def __init__(self, channels: int, event_dims: int = 1) -> None:
        super().__init__(channels, event_dims)

    @abstractmethod
    def _matrix(self) -> Tensor:
        """``W``, channels x channels."""

    @abstractmethod
    def _log_abs_det(self) -> Tensor:
        """``log|det W|``, a scalar."""

    @abstractmethod
    def _solve(self, z: Tensor) -> Tensor:
        """The ``x`` with ``W x = z`` at every position, of the shape of ``z``."""

    def _multiply(self, x: Tensor) -> Tensor:
        """``W x`` at every position, of the shape of ``x``."""
        return self._mix(self._matrix(), x)

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        with without_autocast(x.device):
            x = x.to(torch.promote_types(x.dtype, torch.float32))
            return self._multiply(x), self._of_positions(self._log_abs_det(), x)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        with without_autocast(z.device):
            z = z.to(torch.promote_types(z.dtype, torch.float32))
            return self._solve(z), self._of_positions(-self._log_abs_det(), z)

    def _of_positions(self, log_det: Tensor, x: Tensor) -> Tensor:
        event = x.ndim - self.event_dims
        return (log_det * math.prod(x.shape[event + 1 :])).expand(x.shape[:event])

    def _mix(self, matrix: Tensor, x: Tensor, shift: Tensor | None = None) -> Tensor:
        """A matrix ``rows x channels`` (not always square) times the channels at every position, plus a shift."""
        if self.event_dims == 1:
            return F.linear(x, matrix, shift)
        columns = x.flatten(1 - self.event_dims)
        columns = columns.reshape(-1, *columns.shape[-2:])
        # Not by len, which would make a number of a batch size that torch.export has as a symbol.
        matrices = matrix.expand(columns.shape[0], *matrix.shape)
        mixed = torch.bmm(matrices, columns) if shift is None else torch.baddbmm(shift[:, None], matrices, columns)
        return mixed.view(*x.shape[: -self.event_dims], len(matrix), *x.shape[1 - self.event_dims :])

    def _on_rows(self, function: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
        """Apply a function of a matrix ``positions x channels`` to the channels of all positions at once."""
        last = z.movedim(-self.event_dims, -1)
        return function(last.reshape(-1, self.channels)).view(last.shape).movedim(-1, -self.event_dims)


def random_orthogonal(channels: int) -> Tensor:
    """A random orthogonal matrix, from PyTorch's global source of randomness.

    Args:
        channels: number of rows and columns.

    Returns:
        A tensor ``channels x channels`` of the default data type.

    Examples:
        >>> Q = random_orthogonal(4)
        >>> torch.allclose(Q @ Q.T, torch.eye(4), atol=1e-5)
        True
    """
    return torch.linalg.qr(torch.randn(channels, channels))[0]
