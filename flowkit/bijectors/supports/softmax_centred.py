"""The simplex to real vectors, by log-ratios to the last class."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.bijectors.supports.simplex import SimplexBijector, probabilities

__all__ = ["SoftmaxCentred"]


class SoftmaxCentred(SimplexBijector):
    r"""Probabilities to their log-ratios to the last one: the additive log-ratio transform, inverse of a softmax.

    .. math:: z_k = \log x_k - \log x_K, \quad k < K, \qquad x = \operatorname{softmax}(z_1, \dots, z_{K-1}, 0), \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right| = -\sum_{k \le K} \log x_k

    All classes but the last are treated alike. Data are ``batch x K``.

    Raises:
        ValueError: (when called) the probabilities are fewer than two, not positive, or do not sum to 1.

    References:
        J. Aitchison, "The Statistical Analysis of Compositional Data", JRSS B 1982, sec. 4 (additive log-ratio).
        J. V. Dillon et al., "TensorFlow Distributions", 2017 (its ``SoftmaxCentered``).

    Examples:
        >>> SoftmaxCentred().inverse(torch.zeros(2))[0]
        tensor([0.3333, 0.3333, 0.3333])
    """

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        log_x = x.to(torch.promote_types(x.dtype, torch.float32)).log()
        return log_x[..., :-1] - log_x[..., -1:], -log_x.sum(-1)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        log_x = F.pad(z, (0, 1)).log_softmax(-1)
        return probabilities(log_x), log_x.sum(-1)
