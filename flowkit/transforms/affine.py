"""The affine transform of one number."""

import torch
from torch import Tensor, nn

from flowkit.transforms.scale import BoundedLogScale
from flowkit.transforms.transform import Transform

__all__ = ["Affine"]


class Affine(Transform):
    r"""Shift, then scale: :math:`y = (x + b)\, e^{\log s}`, with log-derivative :math:`\log s`.

    Two raw parameters per element, shift ``b`` and raw scale, of any shape that broadcasts to ``x``.

    Args:
        scale: a module from the raw scale parameter to the log-scale; :class:`BoundedLogScale` by default.

    References:
        L. Dinh, J. Sohl-Dickstein, S. Bengio, "Density estimation using Real NVP", ICLR 2017, eqs. 4 and 5.

    Examples:
        >>> y, log_dydx = Affine()(torch.tensor([1.0]), (torch.tensor([2.0]), torch.tensor([0.0])))
        >>> y, log_dydx
        (tensor([3.]), tensor([0.]))
    """

    parameters_per_element = 2

    def __init__(self, scale: nn.Module | None = None) -> None:
        super().__init__()
        self.scale = BoundedLogScale() if scale is None else scale

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        """(shift, raw scale) to (shift, log-scale), in float32 at least: half precision would spoil the round trip."""
        shift, raw_scale = raw.to(torch.promote_types(raw.dtype, torch.float32)).unbind(-1)
        return shift, self.scale(raw_scale)

    def forward(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``y`` and log dy/dx, given (shift, log-scale), each broadcastable to ``x``."""
        shift, log_scale = parameters
        return (x + shift) * log_scale.exp(), log_scale

    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``x`` and log dx/dy, given (shift, log-scale)."""
        shift, log_scale = parameters
        log_derivative = -log_scale
        return y * log_derivative.exp() - shift, log_derivative
