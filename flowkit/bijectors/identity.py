"""The identity."""

from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import Bijector
from flowkit.counts import require_counts

__all__ = ["Identity", "no_log_det"]


class Identity(Bijector[Tensor, Tensor]):
    """What leaves everything as it is: :math:`z = x`, for the blocks of a :class:`~flowkit.Concatenate` that stay.

    Args:
        event_dims: 3 for images, 1 for vectors ``batch x features``.

    References:
        A. Rozet et al., "Zuko: Normalizing flows in PyTorch", 2022 (its ``IdentityTransform``).

    Examples:
        >>> Identity()(torch.tensor([1.0, 2.0]))
        (tensor([1., 2.]), tensor(0.))
    """

    takes_context = False
    moves_entries = True

    def __init__(self, event_dims: int = 1) -> None:
        super().__init__()
        require_counts(0, event_dims=event_dims)
        self.event_dims = event_dims

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return x, no_log_det(x, self.event_dims)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return z, no_log_det(z, self.event_dims)


def no_log_det(value: Tensor, event_dims: int) -> Tensor:
    """The log-determinant of what moves entries and changes none: zeros of the batch shape, float32 at least.

    Args:
        value: ``batch x event``.
        event_dims: trailing dimensions of one event.

    Returns:
        The zeros.

    Examples:
        >>> no_log_det(torch.rand(5, 3), 1)
        tensor([0., 0., 0., 0., 0.])
    """
    return value.new_zeros(
        value.shape[: value.ndim - event_dims], dtype=torch.promote_types(value.dtype, torch.float32)
    )
