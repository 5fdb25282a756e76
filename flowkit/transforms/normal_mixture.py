"""The normal mixture of Gaussianization."""

import torch
from torch import Tensor

from flowkit.ops.normal_tails import (
    LOG_ROOT,
    is_normal_number,
    log_lower_tail,
    log_mills_ratio,
    log_mixed_tail,
    lower_normal_quantile,
    lower_tail,
    mixed_tail,
    probabilities_are_fast,
)
from flowkit.ops.precision import at_least_float32
from flowkit.ops.root_finding import monotone_root
from flowkit.transforms.mixture import Components, components_of
from flowkit.transforms.transform import Transform

__all__ = ["NormalMixture"]


class NormalMixture(Transform):
    r"""Makes a mixture of normals a standard normal: its distribution function, then the normal's quantile.

    .. math:: y = \Phi^{-1}\left(\sum_k w_k\, \Phi(u_k)\right), \quad u_k = a_k (x - \mu_k), \qquad
              \frac{dy}{dx} = \sum_k w_k\, a_k\, e^{(y^2 - u_k^2) / 2}

    It is onto the real line and exact far out, where the distribution function is rounded to 0 or 1: what is computed
    is the smaller tail, and its logarithm where it is too small a number. The inverse has no closed form: it is
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
        weights = mixture.log_weights.exp()
        with torch.no_grad():
            # The smaller of the two tails is the one that has all its digits.
            side = torch.where(mixed_tail(weights, lines) < 0.5, 1.0, -1.0).to(lines.dtype)
        toward = side.unsqueeze(-1) * lines
        if probabilities_are_fast(toward):
            tail, density = mixed_tail(weights, toward), _density(lines, mixture)
            if is_normal_number(tail) and is_normal_number(density):
                y = side * torch.special.ndtri(tail)
                return y, density.log() + y.square() / 2
        y = side * lower_normal_quantile(log_mixed_tail(mixture.log_weights, toward))
        return y, _log_slope_of_tails(y, side, lines, mixture)

    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``x`` and log dx/dy, elementwise."""
        mixture = Components(*parameters)
        y = at_least_float32(y)
        # Both sides of Phi(y) = sum of w Phi(u) as the smaller tails, which need no quantile.
        side = torch.where(y < 0, 1.0, -1.0).to(y.dtype)
        with torch.no_grad():
            lower, upper = mixture.bracket(y)
        tail = lower_tail(side * y)
        if is_normal_number(tail):
            x = _root_by_probability(side, tail, lower, upper, mixture)
            return x, -_log_slope(y, mixture.lines(x), mixture)
        x = _root_by_logarithm(side, log_lower_tail(side * y), lower, upper, mixture)
        return x, -_log_slope_of_tails(y, side, mixture.lines(x), mixture)


def _root_by_probability(side: Tensor, tail: Tensor, lower: Tensor, upper: Tensor, mixture: Components) -> Tensor:
    weights = side.unsqueeze(-1) * mixture.log_weights.exp()
    slopes, shifts = side.unsqueeze(-1) * mixture.log_slopes.exp(), side.unsqueeze(-1) * mixture.shifts

    def value(x: Tensor) -> Tensor:
        return mixed_tail(weights, x.unsqueeze(-1) * slopes + shifts)

    # Its result's type as a string: torch before 2.11 traces no subscripted one.
    def value_and_slope(x: Tensor) -> "tuple[Tensor, Tensor]":
        smallest = torch.finfo(x.dtype).tiny
        return value(x), _density(mixture.lines(x), mixture).clamp(min=smallest).log() - LOG_ROOT

    return monotone_root(value_and_slope, side * tail, lower, upper, value)


def _root_by_logarithm(side: Tensor, log_tail: Tensor, lower: Tensor, upper: Tensor, mixture: Components) -> Tensor:
    def toward(x: Tensor) -> Tensor:
        return side.unsqueeze(-1) * mixture.lines(x)

    def value(x: Tensor) -> Tensor:
        return side * log_mixed_tail(mixture.log_weights, toward(x))

    def value_and_slope(x: Tensor) -> "tuple[Tensor, Tensor]":
        return value(x), _log_hazard(toward(x), mixture)

    return monotone_root(value_and_slope, side * log_tail, lower, upper, value)


def _density(lines: Tensor, mixture: Components) -> Tensor:
    r"""The mixture's, times :math:`\sqrt{2 \pi}`."""
    return ((mixture.log_weights + mixture.log_slopes).exp() * (-lines.square() / 2).exp()).sum(-1)


def _log_slope(y: Tensor, lines: Tensor, mixture: Components) -> Tensor:
    """Where ``y`` is within some deviations: its rounding is multiplied by ``y``."""
    # As a product: the difference of two squares loses all digits.
    log_ratio = (y.unsqueeze(-1) - lines) * (y.unsqueeze(-1) + lines) / 2
    return (mixture.log_weights + mixture.log_slopes + log_ratio).logsumexp(-1)


def _log_slope_of_tails(y: Tensor, side: Tensor, lines: Tensor, mixture: Components) -> Tensor:
    """The same, exact far out: both tails are equal, so that the slope is the ratio of the densities over them."""
    return _log_hazard(side.unsqueeze(-1) * lines, mixture) + log_mills_ratio(-side * y)


def _log_hazard(toward: Tensor, mixture: Components) -> Tensor:
    """The mixture's density over its lower tail, ``toward`` being the lines on the side of that."""
    # Of the nearest component, whose own ratio is the answer far out; a common factor of both sums, without gradients.
    nearest = toward.detach().amax(-1, keepdim=True)
    log_weights = mixture.log_weights + (nearest - toward) * (nearest + toward) / 2
    density = (log_weights + mixture.log_slopes).logsumexp(-1)
    return density - (log_weights + log_mills_ratio(-toward)).logsumexp(-1)
