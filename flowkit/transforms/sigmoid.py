"""The logistic sigmoid and its inverse."""

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.bijector import Interval
from flowkit.transforms.fixed import FixedTransform
from flowkit.transforms.inverse import InverseTransform

__all__ = ["Logit", "Sigmoid"]


class Sigmoid(FixedTransform):
    r"""The logistic sigmoid, from the real line onto ``(0, 1)``.

    .. math:: y = \sigma(x) = \frac{1}{1 + e^{-x}}, \qquad
              \log\left|\frac{dy}{dx}\right| = \log \sigma(x) + \log \sigma(-x)

    The log-derivative is exact for any ``x``, but ``y`` is rounded to 1 from about 17 in float32 and 37 in float64;
    the inverse refuses that.

    References:
        Dinh, Sohl-Dickstein and Bengio, Density estimation using Real NVP, 2017, sec. 4.1 (its inverse).

    Examples:
        >>> Sigmoid()(torch.tensor([0.0, 2.0]))
        (tensor([0.5000, 0.8808]), tensor([-1.3863, -2.2539]))
    """

    def codomain(self, dtype: torch.dtype) -> Interval:
        """``(0, 1)``."""
        return 0.0, 1.0

    def _forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.sigmoid(x), F.logsigmoid(x) + F.logsigmoid(-x)

    def _inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        log_y, log_rest = y.log(), torch.log1p(-y)
        return log_y - log_rest, -log_y - log_rest


class Logit(InverseTransform):
    r"""The log-odds, from ``(0, 1)`` onto the real line: the inverse of :class:`Sigmoid`.

    .. math:: y = \log \frac{x}{1 - x}, \qquad \log\left|\frac{dy}{dx}\right| = -\log x - \log(1 - x)

    References:
        Dinh, Sohl-Dickstein and Bengio, Density estimation using Real NVP, 2017, sec. 4.1.

    Examples:
        >>> Logit()(torch.tensor([0.5, 0.75]))
        (tensor([0.0000, 1.0986]), tensor([1.3863, 1.6740]))
    """

    def __init__(self) -> None:
        super().__init__(Sigmoid())
