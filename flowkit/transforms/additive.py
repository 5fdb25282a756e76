"""The additive transform of one number."""

import torch
from torch import Tensor

from flowkit.transforms.transform import Transform

__all__ = ["Additive"]


class Additive(Transform):
    """Shift alone: :math:`y = x + b`, with log-derivative 0.

    One raw parameter per element, the shift, broadcastable to ``x``.

    References:
        L. Dinh, D. Krueger, Y. Bengio, "NICE: Non-linear Independent Components Estimation", ICLR workshop 2015.

    Examples:
        >>> Additive()(torch.tensor([1.0]), (torch.tensor([2.0]),))
        (tensor([3.]), tensor([0.]))
    """

    parameters_per_element = 1

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        """The shift as it is, in float32 at least."""
        return (raw[..., 0].to(torch.promote_types(raw.dtype, torch.float32)),)

    def forward(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``x + shift`` and zeros."""
        (shift,) = parameters
        return x + shift, torch.zeros_like(shift)

    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``y - shift`` and zeros."""
        (shift,) = parameters
        return y - shift, torch.zeros_like(shift)
