"""The monotonic rational-quadratic spline."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.transforms.transform import Transform

__all__ = ["RationalQuadraticSpline", "bent"]


class RationalQuadraticSpline(Transform):
    r"""A monotonic spline of rational-quadratic pieces on ``[-bound, bound]``, the identity outside.

    In the bin between the knots :math:`(x_0, y_0)` and :math:`(x_1, y_1)`, whose derivatives are :math:`d_0` and
    :math:`d_1`, with the slope :math:`s = (y_1 - y_0) / (x_1 - x_0)` and the distances :math:`a = x - x_0` and
    :math:`b = x_1 - x`,

    .. math::
        y = y_0 + (y_1 - y_0) \frac{a\,p}{a\,p + b\,q}, \qquad
        \frac{dy}{dx} = (y_1 - y_0)^2 \frac{a\,q + b\,p}{(a\,p + b\,q)^2}, \qquad
        p = s a + d_0 b, \quad q = s b + d_1 a,

    which is the paper's eq. 4 and 5 with numerator and denominator multiplied out: every term is positive, so nothing
    cancels. The inverse is the positive root of a quadratic in :math:`a / b` (its eq. 6 to 8), taken in the form
    that does not cancel; its discriminant is a sum of two terms that are never negative.

    The raw parameters of one number are ``bins`` widths, ``bins`` heights and ``bins - 1`` derivatives at the knots
    inside; those of the two outermost knots are 1. A softmax makes shares of the interval of widths and heights; a
    softplus, or an exponential where ``max_ratio`` bounds it, makes derivatives positive. All zeros are the identity.

    A bin whose slope is far below the derivatives of its knots is flatter still in its middle, where the derivative
    is about :math:`4 s^2 / (d_0 + d_1)`: a value that goes there comes back with the rounding error of ``y`` divided
    by that.

    Args:
        bins: number of bins ``K``, >= 2.
        bound: half the length of the interval, > 0; in units of ``x``.
        min_width: smallest width of a bin, as a share of the interval, > 0 and < ``1 / bins``.
        min_height: smallest height of a bin, likewise.
        min_derivative: smallest derivative at a knot, in (0, 1), where there is no ``max_ratio``.
        max_ratio: how many times as wide, or as high, as another a bin may become, > 1; ``None`` for no bound but
            the smallest shares. A network's raw outputs grow in training to where a softmax gives one bin nearly all:
            the slopes are then as extreme as the shares allow, and a few such layers lose all digits of float32.
            Bounded, raw parameters are bent, :math:`r / (1 + |r| / b)`, with :math:`b` half the logarithm of the ratio
            for widths and heights and all of it for the logarithms of derivatives, which then lie between
            ``1 / max_ratio`` and ``max_ratio``; near 0 they stay as they are.

    Raises:
        ValueError: an argument is outside its range.

    References:
        Durkan, Bekasov, Murray and Papamakarios, Neural spline flows, 2019, eq. 4 to 8.
        Gregory and Delbourgo, Piecewise rational quadratic interpolation to monotonic data, 1982.
        Rozet et al., Zuko: normalizing flows in PyTorch, 2022 (the bent parameters, and derivatives by exponentials).

    Examples:
        >>> spline = RationalQuadraticSpline(bins=4)
        >>> x = torch.tensor([-5.0, 0.5, 2.0])
        >>> y, log_dydx = spline(x, spline.constrain(torch.zeros(3, 11)))
        >>> torch.allclose(y, x), bool(log_dydx.abs().max() < 1e-6)
        (True, True)
    """

    def __init__(
        self,
        bins: int = 8,
        bound: float = 3.0,
        min_width: float = 1e-3,
        min_height: float = 1e-3,
        min_derivative: float = 1e-3,
        max_ratio: float | None = None,
    ) -> None:
        super().__init__()
        if bins < 2:
            raise ValueError(f"bins is {bins}; a spline needs at least 2")
        if not (bound > 0 and math.isfinite(bound)):
            raise ValueError(f"bound is {bound}; the interval needs a positive, finite one")
        for name, share in (("min_width", min_width), ("min_height", min_height)):
            if not 0 < share * bins < 1:
                raise ValueError(f"{name} is {share}; with {bins} bins it must lie in (0, {1 / bins:g})")
        if not 0 < min_derivative < 1:
            raise ValueError(f"min_derivative is {min_derivative}; it must lie in (0, 1)")
        if max_ratio is not None and not 1 < max_ratio < math.inf:
            raise ValueError(f"max_ratio is {max_ratio}; it must be finite and more than 1, or None")
        self.bins = bins
        self.bound = bound
        self.min_width = min_width
        self.min_height = min_height
        self.min_derivative = min_derivative
        self.max_ratio = max_ratio
        self.parameters_per_element = 3 * bins - 1
        # A raw derivative of 0 is to be a derivative of 1.
        self._offset = math.log(math.expm1(1 - min_derivative))

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Knots from raw parameters, in float32 at least.

        Args:
            raw: ``... x (3 K - 1)``: widths, heights, derivatives.

        Returns:
            Three tensors ``... x (K - 1)`` for the knots inside the interval: their ``x``, their ``y``, and their
            raw derivatives, which become positive once the two that a number needs are known.
        """
        raw = raw.to(torch.promote_types(raw.dtype, torch.float32))
        # Torch's softmax and scan are many times slower along a short last dimension than along the first.
        raw = raw.movedim(-1, 0).contiguous()
        shares, derivatives = raw.split([2 * self.bins, self.bins - 1])
        if self.max_ratio is not None:
            bound = math.log(self.max_ratio)
            shares, derivatives = bent(shares, bound / 2), bent(derivatives, bound)
        widths, heights = shares.chunk(2)
        knots = self._knots(widths, self.min_width), self._knots(heights, self.min_height), derivatives
        return tuple(values.movedim(0, -1) for values in knots)

    def forward(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``y`` and log dy/dx, of the shape of ``x``; the parameters' shape but for the last dimension broadcasts."""
        # The spline is evaluated for every number, so that no gradient is nan where the identity is taken.
        inner = x.clamp(-self.bound, self.bound)
        x0, x1, y0, y1, d0, d1 = self._bin(inner, parameters, 0)
        a, b, height = inner - x0, x1 - inner, y1 - y0
        s = height / (x1 - x0)
        p = torch.addcmul(d0 * b, s, a)
        q = torch.addcmul(d1 * a, s, b)
        ap = a * p
        ratio = height / torch.addcmul(ap, b, q)
        y = torch.addcmul(y0, ap, ratio)
        log_derivative = (torch.addcmul(b * p, a, q) * ratio * ratio).log()
        return self._with_tails(x, y, log_derivative)

    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``x`` and log dx/dy, of the shape of ``y``; the parameters' shape but for the last dimension broadcasts."""
        inner = y.clamp(-self.bound, self.bound)
        x0, x1, y0, y1, d0, d1 = self._bin(inner, parameters, 1)
        v, u, width = inner - y0, y1 - inner, x1 - x0
        s = (y1 - y0) / width
        # The quadratic alpha r^2 + beta r - gamma = 0 for r = a / b.
        alpha, gamma = s * u, s * v
        beta = d0 * u - d1 * v
        root = torch.addcmul(beta * beta, alpha, gamma, value=4).sqrt()
        # Of the two forms of the root, the one that adds where the other would cancel; and a / (a + b), b / (a + b).
        rising = beta >= 0
        stable = torch.where(rising, beta, -beta) + root
        ahead = torch.where(rising, 2 * gamma, stable)
        behind = torch.where(rising, stable, 2 * alpha)
        total = ahead + behind
        ahead, behind = ahead / total, behind / total
        x = torch.addcmul(x0, width, ahead)
        # By the implicit function theorem; equal to minus the forward direction's log-derivative, at less cost.
        curve = torch.addcmul(s * (ahead * ahead + behind * behind), d0 + d1, ahead * behind)
        return self._with_tails(y, x, (width * curve / root).log())

    def _knots(self, raw: Tensor, least: float) -> Tensor:
        """The K - 1 inner ends of the K bins along the first dimension."""
        shares = raw.softmax(0)[:-1].cumsum(0)
        count = torch.arange(1, self.bins, dtype=raw.dtype, device=raw.device)
        equal_bins = (2 * self.bound * least * count - self.bound).view(-1, *[1] * (raw.ndim - 1))
        return torch.add(equal_bins, shares, alpha=2 * self.bound * (1 - least * self.bins))

    def _bin(self, value: Tensor, parameters: tuple[Tensor, ...], axis: int) -> tuple[Tensor, ...]:
        """The two knots around each value, found along one axis: ``x0, x1, y0, y1, d0, d1``."""
        knots = [p.expand(*value.shape, self.bins - 1).movedim(-1, 0) for p in parameters[:3]]
        first, last = self._end_derivatives(parameters)
        number = (value >= knots[axis]).sum(0)
        not_first, not_last = number > 0, number < self.bins - 1
        ends = torch.stack([(number - 1).clamp_min(0), number.clamp_max(self.bins - 2)])
        xs, ys, raw = (k.gather(0, ends) for k in knots)
        derivatives = self._derivative(raw)
        x0, x1 = xs.unbind(0)
        y0, y1 = ys.unbind(0)
        d0, d1 = derivatives.unbind(0)
        return (
            torch.where(not_first, x0, -self.bound),
            torch.where(not_last, x1, self.bound),
            torch.where(not_first, y0, -self.bound),
            torch.where(not_last, y1, self.bound),
            torch.where(not_first, d0, first),
            torch.where(not_last, d1, last),
        )

    def _derivative(self, raw: Tensor) -> Tensor:
        if self.max_ratio is not None:
            return raw.exp()
        return F.softplus(raw + self._offset) + self.min_derivative

    def _end_derivatives(self, parameters: tuple[Tensor, ...]) -> tuple[Tensor | float, Tensor | float]:
        """Those at the two outermost knots: 1, as of the identity beyond them."""
        return 1.0, 1.0

    def _with_tails(self, value: Tensor, result: Tensor, log_derivative: Tensor) -> tuple[Tensor, Tensor]:
        inside = (value > -self.bound) & (value < self.bound)
        return torch.where(inside, result, value), torch.where(inside, log_derivative, 0.0)


def bent(raw: Tensor, bound: float) -> Tensor:
    """Numbers within ``(-bound, bound)``, of slope 1 at 0.

    Args:
        raw: any numbers.
        bound: over 0.

    Returns:
        Numbers of the same shape.

    Examples:
        >>> bent(torch.tensor([0.0, 6.0]), 3.0)
        tensor([0., 2.])
    """
    return raw / (1 + raw.abs() / bound)
