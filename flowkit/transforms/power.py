"""A power of positive numbers."""

import math

import torch
from torch import Tensor

from flowkit.bijector import Interval
from flowkit.transforms.fixed import FixedTransform

__all__ = ["Power"]


class Power(FixedTransform):
    r"""A fixed power of a positive number.

    .. math:: y = x^p, \qquad \log\left|\frac{dy}{dx}\right| = \log|p| + (p - 1) \log x

    It takes the positive numbers that, like their power, are normal numbers of the data type.

    Args:
        exponent: ``p``, any finite number but 0; negative ones turn the order round.

    Raises:
        ValueError: ``exponent`` is 0 or not finite.

    References:
        Box and Cox, An analysis of transformations, 1964, eq. 1 (but for its shift and scale).

    Examples:
        >>> Power(2.0)(torch.tensor([3.0]))
        (tensor([9.]), tensor([1.7918]))
    """

    def __init__(self, exponent: float) -> None:
        super().__init__()
        if exponent == 0 or not math.isfinite(exponent):
            raise ValueError(f"exponent is {exponent}; a power is invertible for a finite exponent other than 0 only")
        self.exponent = exponent

    def domain(self, dtype: torch.dtype) -> Interval:
        """The positive numbers that neither overflow nor underflow when raised to the exponent."""
        return _without_overflow(self.exponent, dtype)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """The positive numbers that neither overflow nor underflow when raised to the exponent's reciprocal."""
        return _without_overflow(1 / self.exponent, dtype)

    def _forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.pow(self.exponent), math.log(abs(self.exponent)) + (self.exponent - 1) * x.log()

    def _inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        power = 1 / self.exponent
        return y.pow(power), math.log(abs(power)) + (power - 1) * y.log()


def _without_overflow(exponent: float, dtype: torch.dtype) -> Interval:
    limits = torch.finfo(torch.promote_types(dtype, torch.float32))
    # Inside the limits by more than powers are rounded by, in any version of torch and on any processor; and that of
    # torch 2.6 overflows where the logarithm exceeds 709.7827111, 1.7e-6 before the limit of float64.
    within = 1 - max(4 * limits.eps, 4e-9)
    smallest, largest = sorted(within * math.log(end) / exponent for end in (limits.tiny, limits.max))
    # Compared as logarithms: the exponential of what lies outside the limits might itself overflow.
    lower = math.exp(smallest) if smallest > math.log(limits.tiny) else limits.tiny
    upper = math.exp(largest) if largest < math.log(limits.max) else limits.max
    return lower, upper
