"""The leaky rectifier."""

import math

import torch
from torch import Tensor

from flowkit.transforms.fixed import FixedTransform

__all__ = ["LeakyReLU"]


class LeakyReLU(FixedTransform):
    r"""The identity for positive numbers, a smaller slope for negative ones.

    .. math:: y = \begin{cases} x & x \ge 0 \\ a x & x < 0 \end{cases} \qquad
              \log\left|\frac{dy}{dx}\right| = \begin{cases} 0 & x \ge 0 \\ \log a & x < 0 \end{cases}

    Args:
        slope: ``a``, > 0; for 1 the identity.

    Raises:
        ValueError: ``slope`` is not positive, or not finite.

    References:
        Maas, Hannun and Ng, Rectifier nonlinearities improve neural network acoustic models, 2013.

    Examples:
        >>> LeakyReLU(0.5)(torch.tensor([-2.0, 3.0]))
        (tensor([-1.,  3.]), tensor([-0.6931,  0.0000]))
    """

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        if not (slope > 0 and math.isfinite(slope)):
            raise ValueError(f"slope is {slope}; a leaky rectifier is invertible for a positive, finite slope only")
        self.slope = slope

    def _forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return _bend(x, self.slope)

    def _inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return _bend(y, 1 / self.slope)


def _bend(x: Tensor, slope: float) -> tuple[Tensor, Tensor]:
    positive = x >= 0
    return torch.where(positive, x, slope * x), torch.zeros_like(x).masked_fill(~positive, math.log(slope))
