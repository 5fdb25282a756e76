"""Space to channels."""

from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from flowkit.bijector import Bijector, Shape

__all__ = ["Squeeze"]


class Squeeze(Bijector[Tensor, Tensor]):
    r"""Each ``f x f`` block of pixels becomes ``f * f`` channels; the log-determinant is 0.

    :math:`z_{c f^2 + f i + j,\ h,\ w} = x_{c,\ f h + i,\ f w + j}`: pixel (row ``i``, column ``j``) of a block of
    channel ``c`` goes to channel ``c * f * f + f * i + j``, so ``C x H x W`` becomes ``C f^2 x H/f x W/f``.

    Args:
        factor: the block's side ``f``, >= 2.

    Raises:
        ValueError: ``factor`` is under 2, or (when called) height or width is no multiple of it.

    References:
        L. Dinh, J. Sohl-Dickstein, S. Bengio, "Density estimation using Real NVP", ICLR 2017, sec. 3.6.

    Examples:
        >>> z, _ = Squeeze()(torch.arange(4.0).reshape(1, 1, 2, 2))
        >>> z.flatten()
        tensor([0., 1., 2., 3.])
    """

    event_dims = 3
    takes_context = False
    moves_entries = True

    def __init__(self, factor: int = 2) -> None:
        super().__init__()
        if factor < 2:
            raise ValueError(f"factor is {factor}; a squeeze needs at least 2")
        self.factor = factor

    def output_shape(self, shape: Shape) -> Shape:
        """``C x H x W`` to ``C f^2 x H/f x W/f``."""
        channels, height, width = shape
        f = self.factor
        if height % f or width % f:
            raise ValueError(f"Squeeze({f}) needs height and width divisible by {f}, got the event shape {shape}")
        return channels * f * f, height // f, width // f

    def input_shape(self, shape: Shape) -> Shape:
        """``C x H x W`` to ``C/f^2 x H f x W f``."""
        channels, height, width = shape
        f = self.factor
        if channels % (f * f):
            raise ValueError(f"Squeeze({f}) is inverted on a multiple of {f * f} channels, got {shape}")
        return channels // (f * f), height * f, width * f

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        f = self.factor
        z = rearrange(x, "... c (h i) (w j) -> ... (c i j) h w", i=f, j=f)
        return z, _zero_log_det(x)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        f = self.factor
        x = rearrange(z, "... (c i j) h w -> ... c (h i) (w j)", i=f, j=f)
        return x, _zero_log_det(z)


def _zero_log_det(x: Tensor) -> Tensor:
    return x.new_zeros(x.shape[:-3], dtype=torch.promote_types(x.dtype, torch.float32))
