"""The planar flow."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.bijectors.channels import ChannelBijector
from flowkit.nn.context_parameters import ContextParameters

__all__ = ["Planar", "over_minus_one"]

# The smallest slope of a planar or radial map along the direction that it stretches: rounding errors of one
# direction grow at most by its inverse in the other.
SMALLEST_SLOPE = 0.01
# Newton's method gains digits quadratically once near; before that, every half a unit of a tanh that is nearly flat
# costs a step, log(m) / 2 of them. 16 steps are exact in float64 for m up to 1e5, far beyond what is learnt.
STEPS = 16


class Planar(ChannelBijector):
    r"""A planar flow: stretches space along one direction about a hyperplane.

    .. math:: z = x + \hat u \tanh(w^\top x + b), \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right| =
              \log\left(1 + \hat u^\top w\,(1 - \tanh^2(w^\top x + b))\right),

    with :math:`\hat u = u + (m(w^\top u) - w^\top u)\, w / \lVert w \rVert^2`, so that
    :math:`w^\top \hat u = m(w^\top u) > -1` (see :func:`over_minus_one`) and the map is invertible. The inverse solves
    :math:`t + m \tanh t = w^\top z + b` for :math:`t = w^\top x + b`. It starts as the identity: :math:`u = 0`,
    :math:`b = 0` and a random :math:`w`.

    Args:
        features: entries ``D`` of the vector, at least 1.
        conditioner: a module from the context to ``2 D + 1`` numbers, added to the layer's own :math:`w`, :math:`u`
            and :math:`b`, in that order; ``None`` for a layer without context.

    Raises:
        ValueError: (when called) an input, or the conditioner's output, of another number of entries, or no context
            where there is a conditioner.

    References:
        Rezende and Mohamed, *Variational inference with normalizing flows*, ICML 2015, eq. 10-12, and app. A.1 for
        :math:`\hat u`.

    Examples:
        >>> layer = Planar(3)
        >>> x = torch.rand(5, 3)
        >>> z, log_det = layer(x)
        >>> torch.allclose(layer.inverse(z)[0], x, atol=1e-6)
        True
    """

    def __init__(self, features: int, conditioner: nn.Module | None = None) -> None:
        super().__init__(features, event_dims=1)
        weight = torch.randn(features) / features**0.5
        self.source = ContextParameters(torch.cat([weight, torch.zeros(features + 1)]), conditioner)

    def prepare(self, context: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        r""":math:`w`, :math:`\hat u`, :math:`w^\top \hat u` and :math:`b`, the vectors ``batch x D``."""
        features = self.channels
        weight, direction, bias = self.source(context).split((features, features, 1), -1)
        raw_gain = (weight * direction).sum(-1)
        gain = over_minus_one(raw_gain)
        # At w = 0 the correction is 0 / 0, and 0 does: the map is then a translation.
        norm = weight.square().sum(-1).clamp(min=torch.finfo(weight.dtype).tiny)
        return weight, direction + ((gain - raw_gain) / norm).unsqueeze(-1) * weight, gain, bias.squeeze(-1)

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        weight, direction, gain, bias = prepared
        tanh = torch.tanh((x * weight).sum(-1) + bias)
        z = x + direction * tanh.unsqueeze(-1)
        return z, torch.log1p(gain * (1 - tanh.square())).expand(x.shape[:-1])

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        weight, direction, gain, bias = prepared
        tanh = torch.tanh(_solve((z * weight).sum(-1) + bias, gain))
        x = z - direction * tanh.unsqueeze(-1)
        return x, -torch.log1p(gain * (1 - tanh.square())).expand(z.shape[:-1])


def over_minus_one(raw: Tensor) -> Tensor:
    r"""A number over -1 for any number, 0 for 0: :math:`m(a) = -1 + \epsilon + \log(1 + e^{a + k})`.

    :math:`\epsilon = 0.01` keeps it off -1, and :math:`k = \log(e^{1 - \epsilon} - 1)` makes :math:`m(0) = 0`.

    Args:
        raw: any numbers.

    Returns:
        Numbers of the same shape, over -0.99.

    References:
        Rezende and Mohamed, *Variational inference with normalizing flows*, ICML 2015, app. A.1, there with
        :math:`\epsilon = k = 0`.

    Examples:
        >>> over_minus_one(torch.tensor([-100.0, 0.0]))
        tensor([-0.9900,  0.0000])
    """
    room = 1 - SMALLEST_SLOPE
    return F.softplus(raw + math.log(math.expm1(room))) - room


def _solve(y: Tensor, gain: Tensor) -> Tensor:
    r"""The root of :math:`t + m \tanh t = y` for :math:`m > -1`."""
    # Newton's method needs no safeguard here. The function is odd and increasing, so take y >= 0: there it is concave
    # where m > 0, and convex where m < 0. Both y - m and y / (1 + m) bound the root, from below where m > 0 and from
    # above where m < 0 (as tanh t <= 1 and tanh t <= t), and from that side Newton's steps approach it without ever
    # passing it. The nearer bound starts them.
    size, m = y.detach().abs(), gain.detach()
    bounds = size - m, size / (1 + m)
    t = torch.where(m > 0, torch.maximum(*bounds), torch.minimum(*bounds))
    for _ in range(STEPS):
        t = _newton(t, m, size)
    # A Newton step from the root leaves it, and has the root's first derivatives with respect to y and m, though t
    # counts as constant in it; the second step makes the second and third derivatives right as well. To backpropagate
    # through all steps would give the same and cost that many times more.
    t = t * y.detach().sign()
    return _newton(_newton(t, gain, y), gain, y)


def _newton(t: Tensor, m: Tensor, y: Tensor) -> Tensor:
    tanh = torch.tanh(t)
    return t - (t + m * tanh - y) / (1 + m * (1 - tanh.square()))
