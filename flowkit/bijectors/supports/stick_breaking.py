"""The simplex to real vectors, by breaking a stick."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.bijectors.supports.simplex import SimplexBijector, probabilities

__all__ = ["StickBreaking"]


class StickBreaking(SimplexBijector):
    r"""Probabilities to real vectors: each is the share that it takes of what those before it have left.

    .. math:: z_k = \log \frac{x_k}{r_k} + \log (K - k), \qquad r_k = \sum_{j > k} x_j, \qquad k < K, \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right|
              = \sum_{k < K} \log (x_k + r_k) - \log x_k - \log r_k

    Equal probabilities are at :math:`z = 0`. ``inverse`` is torch's ``StickBreakingTransform``; here, no difference is
    taken, so that small probabilities keep all their digits. The last class is treated otherwise than the first: see
    :class:`SoftmaxCentred <flowkit.bijectors.SoftmaxCentred>`. Data are ``batch x K``.

    Raises:
        ValueError: (when called) the probabilities are fewer than two, not positive, or do not sum to 1.

    References:
        M. Betancourt, "Cruising the Simplex: Hamiltonian Monte Carlo and the Dirichlet Distribution", 2012.
        Stan Development Team, "Stan Reference Manual", sec. "Unit simplex".

    Examples:
        >>> z, log_det = StickBreaking()(torch.tensor([0.25, 0.25, 0.25, 0.25]))
        >>> bool(z.abs().max() < 1e-6)
        True
    """

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        log_left = x.flip(-1).cumsum(-1).flip(-1).log()
        log_x, log_rest = x[..., :-1].log(), log_left[..., 1:]
        z = log_x - log_rest + _log_counts(log_rest)
        return z, (log_left[..., :-1] - log_x - log_rest).sum(-1)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        odds = z - _log_counts(z)
        log_rest = F.logsigmoid(-odds).cumsum(-1)
        log_left = F.pad(log_rest, (1, 0))
        log_x = torch.cat([F.logsigmoid(odds), torch.zeros_like(odds[..., :1])], -1) + log_left
        return probabilities(log_x), (log_x[..., :-1] + log_rest - log_left[..., :-1]).sum(-1)


def _log_counts(like: Tensor) -> Tensor:
    """The logarithms of how many classes come after each, for all but the last."""
    return torch.arange(like.shape[-1], 0, -1, dtype=like.dtype, device=like.device).log()
