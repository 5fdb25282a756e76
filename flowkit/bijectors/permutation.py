"""Fixed permutations of the channels."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from flowkit.bijectors.channels import ChannelBijector

__all__ = ["Permutation", "Reversal"]


class Permutation(ChannelBijector):
    r"""A fixed permutation of the channels, so that the next coupling keeps others: log-determinant 0.

    .. math:: z_i = x_{\pi(i)}

    Args:
        permutation: :math:`\pi`, each of ``0 ... channels - 1`` once, as a sequence or a tensor; for a random one,
            ``torch.randperm(n)``. It is part of the state dict.
        event_dims: 3 for images, 1 for vectors.

    Raises:
        ValueError: ``permutation`` is none, or (when called) the input has another number of channels.

    References:
        Dinh, Krueger and Bengio, NICE: non-linear independent components estimation, 2015.

    Examples:
        >>> z, log_det = Permutation([2, 0, 1])(torch.tensor([10.0, 11.0, 12.0]))
        >>> z, log_det
        (tensor([12., 10., 11.]), tensor(0.))
    """

    takes_context = False
    moves_entries = True

    permutation: Tensor

    def __init__(self, permutation: Sequence[int] | Tensor, event_dims: int = 1) -> None:
        if isinstance(permutation, Tensor) and permutation.is_meta:
            # Made on the meta device: the values are still to be loaded.
            super().__init__(len(permutation), event_dims)
            self.register_buffer("permutation", permutation)
            return
        order = permutation.tolist() if isinstance(permutation, Tensor) else list(permutation)
        if not order or sorted(order) != list(range(len(order))):
            raise ValueError(f"{order} is no permutation: it must hold each of 0 ... channels - 1 once")
        super().__init__(len(order), event_dims)
        self.register_buffer("permutation", torch.tensor(order))

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return x.index_select(-self.event_dims, self.permutation), self._zero(x)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return z.index_select(-self.event_dims, self.permutation.argsort()), self._zero(z)

    def _zero(self, x: Tensor) -> Tensor:
        return x.new_zeros(x.shape[: -self.event_dims], dtype=torch.promote_types(x.dtype, torch.float32))


class Reversal(Permutation):
    r"""The channels in reverse order: :math:`z_i = x_{C - 1 - i}`, log-determinant 0.

    Args:
        channels: number of channels ``C``, >= 1.
        event_dims: 3 for images, 1 for vectors.

    Raises:
        ValueError: ``channels`` is under 1, or (when called) the input has another number of channels.

    References:
        Papamakarios, Pavlakou and Murray, Masked autoregressive flow for density estimation, 2017.

    Examples:
        >>> Reversal(3)(torch.tensor([10.0, 11.0, 12.0]))[0]
        tensor([12., 11., 10.])
    """

    def __init__(self, channels: int, event_dims: int = 1) -> None:
        if channels < 1:
            raise ValueError(f"channels is {channels}; a reversal needs at least 1")
        super().__init__(range(channels)[::-1], event_dims)

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        # A fifth of the time of looking each channel up, and a third with the gradients.
        return x.flip(-self.event_dims), self._zero(x)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return self._forward(z, prepared)
