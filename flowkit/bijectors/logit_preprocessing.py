"""Images from a box to the real line."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.bijector import Bijector, Interval, sum_event
from flowkit.counts import require_counts

__all__ = ["LogitPreprocessing"]


class LogitPreprocessing(Bijector[Tensor, Tensor]):
    r"""Data in [0, 1] to the real line, kept off the ends of the interval by a margin.

    .. math:: z = \operatorname{logit} p, \qquad p = \alpha + (1 - 2\alpha)\, x, \qquad
              \log\left|\frac{\partial z}{\partial x}\right| = \log(1 - 2\alpha) - \log p - \log(1 - p)

    elementwise, the log-derivatives summed. Both ends of [0, 1] are taken, and a little more: ``x`` may lie between
    :math:`-\alpha / (1 - 2\alpha)` and :math:`1 + \alpha / (1 - 2\alpha)`, which is what the inverse can give.

    Args:
        alpha: the margin, in (0, 1/2); 0.05 for colour images, 1e-6 for grey digits, in the papers.
        event_dims: 3 for images, 1 for vectors.

    Raises:
        ValueError: ``alpha`` is outside its range, or (when called) a value outside the interval.

    References:
        Dinh, Sohl-Dickstein and Bengio, Density estimation using Real NVP, 2017, sec. 4.1.
        Papamakarios, Pavlakou and Murray, Masked autoregressive flow for density estimation, 2017 (the form
        that treats both ends alike).

    Examples:
        >>> layer = LogitPreprocessing(alpha=0.25, event_dims=1)
        >>> layer(torch.tensor([0.0, 0.5, 1.0]))
        (tensor([-1.0986,  0.0000,  1.0986]), tensor(2.6548))
    """

    takes_context = False

    def __init__(self, alpha: float = 0.05, event_dims: int = 3) -> None:
        super().__init__()
        if not 0 < alpha < 0.5:
            raise ValueError(f"alpha is {alpha}; the margin must lie in (0, 0.5)")
        self.alpha = alpha
        require_counts(0, event_dims=event_dims)
        self.event_dims = event_dims

    def domain(self, dtype: torch.dtype) -> Interval:
        """[0, 1] and the margin, as far as a logit can be told from an infinite one."""
        # Closer to the ends than this, p could be rounded to 0 or 1.
        eps = torch.finfo(dtype).eps
        margin = self.alpha / (1 - 2 * self.alpha) * (1 - 4 * eps)
        # A margin under eps would be lost beside 1, which is to be taken.
        return -margin, 1 + max(margin, eps)

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        width = 1 - 2 * self.alpha
        # 1 - p from 1 - x, which is exact where it is small.
        log_p, log_rest = (self.alpha + width * x).log(), (self.alpha + width * (1 - x)).log()
        return log_p - log_rest, sum_event(math.log(width) - log_p - log_rest, self.event_dims)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        width = 1 - 2 * self.alpha
        log_derivative = F.logsigmoid(z) + F.logsigmoid(-z) - math.log(width)
        return (torch.sigmoid(z) - self.alpha) / width, sum_event(log_derivative, self.event_dims)
