"""The affine transform of one number, its scale first."""

import torch
from torch import Tensor

from flowkit.transforms.affine import Affine

__all__ = ["ScaleShift"]


class ScaleShift(Affine):
    r"""Scale, then shift: :math:`y = x\, e^{\log s} + b`, with log-derivative :math:`\log s`.

    The same maps as :class:`~flowkit.Affine`, which shifts first; but here a change of the scale leaves the shift as
    it is, and what a network has learnt of the one is not spoilt by its learning of the other.

    Args:
        scale: a module from the raw scale parameter to the log-scale; :class:`~flowkit.transforms.BoundedLogScale` by
            default.

    Raises:
        RuntimeError: (when called) the parameters' shapes do not broadcast to that of the input.

    References:
        Dinh, Sohl-Dickstein and Bengio, "Density estimation using Real NVP", ICLR 2017, eq. 7 and 8.

    Examples:
        >>> import torch
        >>> y, log_dydx = ScaleShift()(torch.tensor([1.0]), (torch.tensor([2.0]), torch.tensor([2.0]).log()))
        >>> y, log_dydx
        (tensor([4.]), tensor([0.6931]))
    """

    def forward(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``y`` and log dy/dx, given (shift, log-scale), each broadcastable to ``x``."""
        shift, log_scale = parameters
        return torch.addcmul(shift, x, log_scale.exp()), log_scale

    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``x`` and log dx/dy, given (shift, log-scale)."""
        shift, log_scale = parameters
        log_derivative = -log_scale
        return (y - shift) * log_derivative.exp(), log_derivative
