"""The softplus."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.bijector import Interval
from flowkit.transforms.fixed import FixedTransform

__all__ = ["Softplus"]


class Softplus(FixedTransform):
    r"""The softplus, from the real line onto the positive numbers.

    .. math:: y = \log(1 + e^x), \qquad \log\left|\frac{dy}{dx}\right| = \log \sigma(x)

    Its inverse is :math:`x = y + \log(1 - e^{-y})`, which loses nothing for small ``y`` when written with ``expm1``.
    Below the logarithm of the smallest normal number (-87 in float32, -708 in float64) ``y`` would underflow.

    References:
        Dugas et al., Incorporating second-order functional knowledge for better option pricing, 2001.

    Examples:
        >>> Softplus()(torch.tensor([0.0, 50.0]))
        (tensor([ 0.6931, 50.0000]), tensor([-6.9315e-01, -1.9287e-22]))
    """

    def domain(self, dtype: torch.dtype) -> Interval:
        """From the logarithm of the smallest normal number to infinity."""
        return math.log(_smallest(dtype)), math.inf

    def codomain(self, dtype: torch.dtype) -> Interval:
        """From the smallest normal number to infinity."""
        return _smallest(dtype), math.inf

    def _forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # F.softplus would take x for its softplus past a threshold.
        return -F.logsigmoid(-x), F.logsigmoid(x)

    def _inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        log_sigmoid = torch.log(-torch.expm1(-y))
        return y + log_sigmoid, -log_sigmoid


def _smallest(dtype: torch.dtype) -> float:
    return torch.finfo(torch.promote_types(dtype, torch.float32)).tiny
