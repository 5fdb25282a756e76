"""The hyperbolic tangent and its inverse."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.bijector import Interval
from flowkit.transforms.fixed import FixedTransform
from flowkit.transforms.inverse import InverseTransform

__all__ = ["Arctanh", "Tanh"]


class Tanh(FixedTransform):
    r"""The hyperbolic tangent, from the real line onto ``(-1, 1)``.

    .. math:: y = \tanh x, \qquad
              \log\left|\frac{dy}{dx}\right| = 2\left(\log 2 - |x| - \operatorname{softplus}(-2|x|)\right)

    The log-derivative is exact for any ``x``, but ``y`` is rounded to 1 from about 9 in float32 and 19 in float64;
    the inverse refuses that.

    References:
        Haarnoja et al., Soft actor-critic algorithms and applications, 2018, appendix C.

    Examples:
        >>> Tanh()(torch.tensor([0.0, 1.0]))
        (tensor([0.0000, 0.7616]), tensor([ 0.0000, -0.8676]))
    """

    def codomain(self, dtype: torch.dtype) -> Interval:
        """``(-1, 1)``."""
        return -1.0, 1.0

    def _forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        size = x.abs()
        # log(sigmoid(t)) is -softplus(-t), without the threshold past which torch takes softplus(t) for t.
        return torch.tanh(x), 2 * (math.log(2) - size + F.logsigmoid(2 * size))

    def _inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        log_above, log_below = torch.log1p(y), torch.log1p(-y)
        return (log_above - log_below) / 2, -log_above - log_below


class Arctanh(InverseTransform):
    r"""The inverse hyperbolic tangent, from ``(-1, 1)`` onto the real line: the inverse of :class:`Tanh`.

    .. math:: y = \tfrac12 \log \frac{1 + x}{1 - x}, \qquad
              \log\left|\frac{dy}{dx}\right| = -\log(1 + x) - \log(1 - x)

    References:
        Haarnoja et al., Soft actor-critic algorithms and applications, 2018, appendix C (its inverse).

    Examples:
        >>> Arctanh()(torch.tensor([0.0, 0.5]))
        (tensor([0.0000, 0.5493]), tensor([0.0000, 0.2877]))
    """

    def __init__(self) -> None:
        super().__init__(Tanh())
