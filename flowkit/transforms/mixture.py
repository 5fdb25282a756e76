"""Mixtures of increasing lines under a distribution function: what several transforms are made of."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.ops.precision import at_least_float32
from flowkit.ops.root_finding import monotone_root

__all__ = ["Components", "components_of", "inverse_logistic_mixture", "logistic_mixture"]

LARGEST_LOG_SLOPE = 5.0
# Of the variance that components have together, this much is that of their means where the raw parameters are 0: they
# start apart, and near the single component that they replace.
SHARE_OF_MEANS = 0.25
# How far beyond the outermost component the bracket goes: its ends are rounded.
BEYOND = 1e-3


class Components(NamedTuple):
    r"""Weights :math:`w_k` and lines :math:`u_k(x) = a_k x + b_k`, over the last dimension.

    Attributes:
        log_weights: :math:`\log w_k`; the weights add up to 1.
        log_slopes: :math:`\log a_k`.
        shifts: :math:`b_k`.

    Examples:
        >>> Components(torch.zeros(1), torch.zeros(1), torch.ones(1)).lines(torch.tensor([2.0, 3.0]))
        tensor([[3.],
                [4.]])
    """

    log_weights: Tensor
    log_slopes: Tensor
    shifts: Tensor

    def lines(self, x: Tensor) -> Tensor:
        """:math:`u_k(x)`, ``... x K``."""
        return x.unsqueeze(-1) * self.log_slopes.exp() + self.shifts

    def bracket(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Below and above the ``x`` at which an average of the lines is ``u``: no line is at ``u`` farther out."""
        crossings = (u.unsqueeze(-1) - self.shifts) * (-self.log_slopes).exp()
        lower, upper = crossings.amin(-1), crossings.amax(-1)
        margin = BEYOND * (1 + upper - lower)
        return lower - margin, upper + margin


def components_of(raw: Tensor, variance: float) -> Components:
    r"""Components from unbounded numbers, in float32 at least.

    .. math:: u_k = a_k (x - \mu_k), \qquad \log a_k = 5 \tanh(r / 5) + a_0, \qquad \mu_k = r' + \mu_{0,k}

    The :math:`\mu_{0,k}` are spread evenly, so that components are not alike where the raw numbers are 0; with
    :math:`a_0` they keep the variance that one component has.

    Args:
        raw: ``... x 3 K``: weights, which a softmax makes positive, slopes, means.
        variance: of the distribution whose function the lines are put into.

    Returns:
        The components.

    Examples:
        >>> _, log_slopes, shifts = components_of(torch.zeros(6), variance=1.0)
        >>> log_slopes.exp(), -shifts / log_slopes.exp()
        (tensor([1.1547, 1.1547]), tensor([-0.5000,  0.5000]))
    """
    raw_weights, raw_slopes, raw_means = at_least_float32(raw).chunk(3, -1)
    count = raw_means.shape[-1]
    log_slopes = LARGEST_LOG_SLOPE * torch.tanh(raw_slopes / LARGEST_LOG_SLOPE)
    means = raw_means
    if count > 1:
        even = torch.linspace(-1, 1, count, dtype=raw_means.dtype, device=raw_means.device)
        means = means + even * (SHARE_OF_MEANS * variance / even.square().mean()).sqrt()
        log_slopes = log_slopes - math.log(1 - SHARE_OF_MEANS) / 2
    return Components(raw_weights.log_softmax(-1), log_slopes, -means * log_slopes.exp())


def logistic_mixture(x: Tensor, components: Components) -> tuple[Tensor, Tensor]:
    r"""The log-odds of a mixture of logistic distribution functions, in either tail exact.

    .. math:: y = \operatorname{logit} \sum_k w_k\, \sigma(u_k(x))

    Args:
        x: any numbers, float32 or float64.
        components: of a shape before the last dimension that broadcasts to that of ``x``.

    Returns:
        ``y`` and log dy/dx, elementwise.

    Examples:
        >>> one = Components(torch.zeros(1), torch.zeros(1), torch.ones(1))
        >>> logistic_mixture(torch.tensor([200.0]), one)
        (tensor([201.]), tensor([0.]))
    """
    log_below, log_above, log_p, log_rest = _log_tails(x, components)
    log_density = (components.log_weights + components.log_slopes + log_below + log_above).logsumexp(-1)
    return log_p - log_rest, log_density - log_p - log_rest


def inverse_logistic_mixture(y: Tensor, components: Components) -> tuple[Tensor, Tensor]:
    """The ``x`` at which :func:`logistic_mixture` is ``y``, and log dx/dy, elementwise.

    Examples:
        >>> one = Components(torch.zeros(1), torch.zeros(1), torch.ones(1))
        >>> inverse_logistic_mixture(torch.tensor([201.0]), one)[0]
        tensor([200.])
    """
    with torch.no_grad():
        lower, upper = components.bracket(y)

    def log_odds(x: Tensor) -> Tensor:
        *_, log_p, log_rest = _log_tails(x, components)
        return log_p - log_rest

    x = monotone_root(lambda x: logistic_mixture(x, components), y, lower, upper, value=log_odds)
    return x, -logistic_mixture(x, components)[1]


def _log_tails(x: Tensor, components: Components) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The components' log-probabilities below and above ``x``, and the mixture's."""
    lines, weights = components.lines(x), components.log_weights
    log_below, log_above = F.logsigmoid(lines), F.logsigmoid(-lines)
    return log_below, log_above, (weights + log_below).logsumexp(-1), (weights + log_above).logsumexp(-1)
