"""The normal mixture of Gaussianization."""

import math

import torch
from torch import Tensor

from flowkit.ops.normal_tails import lower_normal_quantile
from flowkit.ops.precision import at_least_float32
from flowkit.ops.root_finding import monotone_root
from flowkit.transforms.mixture import Components, components_of
from flowkit.transforms.transform import Transform

__all__ = ["NormalMixture"]

LOG_ROOT = math.log(2 * math.pi) / 2


class NormalMixture(Transform):
    r"""Makes a mixture of normals a standard normal: its distribution function, then the normal's quantile.

    .. math:: y = \Phi^{-1}\left(\sum_k w_k\, \Phi(u_k)\right), \quad u_k = a_k (x - \mu_k), \qquad
              \frac{dy}{dx} = \sum_k w_k\, a_k\, e^{(y^2 - u_k^2) / 2}

    All is computed from logarithms of tails, so that it is onto the real line and exact far out, where the
    distribution function is rounded to 0 or 1. The inverse has no closed form: it is
    :func:`~flowkit.ops.monotone_root`'s, bracketed by the components. The raw parameters of one number are
    ``components`` each for weights (a softmax), log-slopes (within 5 of their start, by a hyperbolic tangent) and
    means. Where all are zeros the means are spread out, so that the components can become different, and the whole is
    near the identity.

    Args:
        components: ``K``, >= 1.

    Raises:
        ValueError: ``components`` is under 1.

    References:
        Chen and Gopinath, Gaussianization, 2000, sec. 3.
        Meng, Song, Song and Ermon, Gaussianization flows, 2020, sec. 3.1 (there a mixture of logistics).

    Examples:
        >>> transform = NormalMixture(components=4)
        >>> parameters = transform.constrain(torch.randn(3, 12))
        >>> y, log_dydx = transform(torch.tensor([-1.0, 0.0, 50.0]), parameters)
        >>> torch.allclose(transform.inverse(y, parameters)[0], torch.tensor([-1.0, 0.0, 50.0]), atol=1e-4)
        True
    """

    def __init__(self, components: int = 8) -> None:
        super().__init__()
        if components < 1:
            raise ValueError(f"components is {components}; a mixture needs at least 1")
        self.components = components
        self.parameters_per_element = 3 * components

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        r"""Log-weights, log-slopes and shifts :math:`-a_k \mu_k`, ``... x K``, from ``... x (3 K)``."""
        return components_of(raw, variance=1.0)

    def forward(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``y`` and log dy/dx, elementwise."""
        mixture = Components(*parameters)
        lines = mixture.lines(at_least_float32(x))
        with torch.no_grad():
            below = (mixture.log_weights.exp() * torch.special.ndtr(lines)).sum(-1)
            # The smaller of the two tails is the one that has all its digits.
            side = torch.where(below < 0.5, 1.0, -1.0).to(lines.dtype)
        log_tail = (mixture.log_weights + torch.special.log_ndtr(side.unsqueeze(-1) * lines)).logsumexp(-1)
        y = side * lower_normal_quantile(log_tail)
        return y, _log_slope(y, lines, mixture)

    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``x`` and log dx/dy, elementwise."""
        mixture = Components(*parameters)
        y = at_least_float32(y)
        # Both sides of Phi(y) = sum of w Phi(u) as logarithms of the smaller tail, which need no quantile.
        side = torch.where(y < 0, 1.0, -1.0).to(y.dtype)

        # Its result's type as a string: torch before 2.11 traces no subscripted one.
        def log_tail_and_slope(x: Tensor) -> "tuple[Tensor, Tensor]":
            lines = mixture.lines(x)
            log_tail = (mixture.log_weights + torch.special.log_ndtr(side.unsqueeze(-1) * lines)).logsumexp(-1)
            log_density = (mixture.log_weights + mixture.log_slopes - lines.square() / 2).logsumexp(-1) - LOG_ROOT
            return side * log_tail, log_density - log_tail

        with torch.no_grad():
            lower, upper = mixture.bracket(y)
        x = monotone_root(log_tail_and_slope, side * torch.special.log_ndtr(side * y), lower, upper)
        return x, -_log_slope(y, mixture.lines(x), mixture)


def _log_slope(y: Tensor, lines: Tensor, mixture: Components) -> Tensor:
    # As a product: the difference of two squares loses all digits far out.
    log_ratio = (y.unsqueeze(-1) - lines) * (y.unsqueeze(-1) + lines) / 2
    return (mixture.log_weights + mixture.log_slopes + log_ratio).logsumexp(-1)
