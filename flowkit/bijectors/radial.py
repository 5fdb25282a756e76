"""The radial flow."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.bijectors.channels import ChannelBijector
from flowkit.bijectors.planar import over_minus_one
from flowkit.nn.context_parameters import ContextParameters

__all__ = ["Radial"]

# Smallest radius of the ball that is stretched: 0 would be no ball.
SMALLEST_RADIUS = 1e-3


class Radial(ChannelBijector):
    r"""A radial flow: stretches or shrinks space about a point.

    .. math:: z = x + \frac{\beta}{\alpha + r} (x - x_0), \qquad r = \lVert x - x_0 \rVert, \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right| =
              (D - 1) \log\left(1 + \frac{\beta}{\alpha + r}\right) +
              \log\left(1 + \frac{\alpha \beta}{(\alpha + r)^2}\right),

    with :math:`\alpha > 0` and :math:`\beta = \alpha\, m(b) > -\alpha` (see
    :func:`~flowkit.bijectors.planar.over_minus_one`), so that the map is invertible. With
    :math:`s = \lVert z - x_0 \rVert` the inverse is the positive root of the quadratic
    :math:`r^2 + (\alpha + \beta - s)\, r - \alpha s = 0`. It starts as the identity: :math:`b = 0`,
    :math:`\alpha \approx 1` and a random :math:`x_0`.

    Args:
        features: entries ``D`` of the vector, at least 1.
        conditioner: a module from the context to ``D + 2`` numbers, added to the layer's own :math:`x_0`, raw
            :math:`\alpha` and :math:`b`, in that order; ``None`` for a layer without context.

    Raises:
        ValueError: (when called) an input, or the conditioner's output, of another number of entries, or no context
            where there is a conditioner.

    References:
        Rezende and Mohamed, *Variational inference with normalizing flows*, ICML 2015, eq. 14, and app. A.2 for
        :math:`\beta`.

    Examples:
        >>> layer = Radial(3)
        >>> x = torch.rand(5, 3)
        >>> z, log_det = layer(x)
        >>> torch.allclose(layer.inverse(z)[0], x, atol=1e-6)
        True
    """

    def __init__(self, features: int, conditioner: nn.Module | None = None) -> None:
        super().__init__(features, event_dims=1)
        # 0.54 is about where softplus is 1.
        self.source = ContextParameters(torch.cat([torch.randn(features), torch.tensor([0.54, 0.0])]), conditioner)

    def prepare(self, context: Any) -> tuple[Tensor, Tensor, Tensor]:
        r""":math:`x_0`, ``batch x D``, :math:`\alpha` and :math:`\beta`."""
        centre, raw_alpha, raw_beta = self.source(context).split((self.channels, 1, 1), -1)
        alpha = SMALLEST_RADIUS + F.softplus(raw_alpha.squeeze(-1))
        return centre, alpha, alpha * over_minus_one(raw_beta.squeeze(-1))

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        centre, alpha, beta = prepared
        offset = x - centre
        reach = alpha + _norm(offset)
        return x + (beta / reach).unsqueeze(-1) * offset, self._log_det(alpha, beta, reach).expand(x.shape[:-1])

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        centre, alpha, beta = prepared
        offset = z - centre
        s = _norm(offset)
        # Of the two forms of the root, the one without a difference of near numbers.
        p = s - alpha - beta
        root = (p.square() + 4 * alpha * s).sqrt()
        q = (root + torch.where(p >= 0, p, -p)) / 2
        reach = alpha + torch.where(p >= 0, q, alpha * s / q)
        # Where the map stretches much, taking from z what it added would leave the rounding of z.
        x = centre + (reach / (reach + beta)).unsqueeze(-1) * offset
        return x, -self._log_det(alpha, beta, reach).expand(z.shape[:-1])

    def _log_det(self, alpha: Tensor, beta: Tensor, reach: Tensor) -> Tensor:
        return (self.channels - 1) * torch.log1p(beta / reach) + torch.log1p(alpha * beta / reach.square())


def _norm(offset: Tensor) -> Tensor:
    """The Euclidean norm over the last dimension; its gradient at 0 is 0, not ``nan``."""
    square = offset.square().sum(-1)
    # A floor that is lost in rounding beside alpha, and whose power of -3/2, in the second derivative, is finite.
    return square.clamp_min(torch.finfo(square.dtype).tiny ** 0.6).sqrt()
