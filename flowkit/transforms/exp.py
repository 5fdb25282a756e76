"""The exponential and the logarithm."""

import math

import torch
from torch import Tensor

from flowkit.bijector import Interval
from flowkit.transforms.fixed import FixedTransform
from flowkit.transforms.inverse import InverseTransform

__all__ = ["Exp", "Log"]


class Exp(FixedTransform):
    r"""The exponential, from the real line onto the positive numbers.

    .. math:: y = e^x, \qquad \log\left|\frac{dy}{dx}\right| = x

    It takes the numbers whose exponential is a normal number of the data type: in float32 those between -87.3 and
    88.7, in float64 those between -708.4 and 709.8.

    References:
        Papamakarios et al., Normalizing flows for probabilistic modeling and inference, 2021, sec. 2.1.

    Examples:
        >>> Exp()(torch.tensor([0.0, 1.0]))
        (tensor([1.0000, 2.7183]), tensor([0., 1.]))
    """

    def domain(self, dtype: torch.dtype) -> Interval:
        """The logarithms of the smallest normal and of the largest number."""
        smallest, largest = self.codomain(dtype)
        return math.log(smallest), math.log(largest)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """The smallest normal and the largest number."""
        limits = torch.finfo(torch.promote_types(dtype, torch.float32))
        return limits.tiny, limits.max

    def _forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.exp(), x

    def _inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        x = y.log()
        return x, -x


class Log(InverseTransform):
    r"""The natural logarithm, from the positive numbers onto the real line: the inverse of :class:`Exp`.

    .. math:: y = \log x, \qquad \log\left|\frac{dy}{dx}\right| = -\log x

    References:
        Papamakarios et al., Normalizing flows for probabilistic modeling and inference, 2021, sec. 2.1.

    Examples:
        >>> Log()(torch.tensor([1.0, 2.0]))
        (tensor([0.0000, 0.6931]), tensor([-0.0000, -0.6931]))
    """

    def __init__(self) -> None:
        super().__init__(Exp())
