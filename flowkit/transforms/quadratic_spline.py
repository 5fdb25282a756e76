"""The monotonic quadratic spline."""

import torch.nn.functional as F
from torch import Tensor

from flowkit.ops.precision import at_least_float32
from flowkit.transforms.knots import identity_outside, knots_of, locate, pick, require_bins, shares_of
from flowkit.transforms.transform import Transform

__all__ = ["QuadraticSpline"]


class QuadraticSpline(Transform):
    r"""Quadratic pieces on ``[-bound, bound]``, of piecewise linear derivative; the identity outside.

    In the bin of width :math:`w` that starts at the knot :math:`(x_0, y_0)`, with the derivatives :math:`v_0` and
    :math:`v_1` at its ends,

    .. math:: \frac{dy}{dx} = v = v_0 + (v_1 - v_0) \frac{x - x_0}{w}, \qquad y = y_0 + (x - x_0) \frac{v_0 + v}{2}

    The inverse is the root of a quadratic, in the form that does not cancel. The raw parameters of one number are
    ``bins`` widths, shares by a softmax, and ``bins + 1`` derivatives at the knots, positive by a softplus and divided
    by their mean, so that the interval is mapped onto itself. At its ends the derivative jumps to 1. All zeros are the
    identity.

    Args:
        bins: number of bins ``K``, >= 2.
        bound: half the length of the interval, > 0; in units of ``x``.
        min_width: smallest width of a bin, as a share of the interval, > 0 and < ``1 / bins``.
        min_derivative: smallest derivative, in (0, 1).

    Raises:
        ValueError: an argument is outside its range.

    References:
        Müller, McWilliams, Rousselle, Gross and Novák, Neural importance sampling, 2019, sec. 4.3.

    Examples:
        >>> import torch
        >>> spline = QuadraticSpline(bins=4)
        >>> x = torch.tensor([-1.0, 8.0])
        >>> y, log_dydx = spline(x, spline.constrain(torch.zeros(2, 9)))
        >>> torch.allclose(y, x, atol=1e-5), bool(log_dydx.abs().max() < 1e-5)
        (True, True)
    """

    def __init__(
        self, bins: int = 8, bound: float = 3.0, min_width: float = 1e-3, min_derivative: float = 1e-3
    ) -> None:
        super().__init__()
        require_bins(bins, bound, min_width=min_width)
        if not 0 < min_derivative < 1:
            raise ValueError(f"min_derivative is {min_derivative}; it must lie in (0, 1)")
        self.bins = bins
        self.bound = bound
        self.min_width = min_width
        self.min_derivative = min_derivative
        self.parameters_per_element = 2 * bins + 1

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Knots from raw parameters, in float32 at least.

        Args:
            raw: ``... x (2 K + 1)``: widths, derivatives.

        Returns:
            Three tensors ``... x (K + 1)``: the knots' ``x``, their ``y``, and their derivatives.
        """
        raw_widths, raw_derivatives = at_least_float32(raw).split([self.bins, self.bins + 1], -1)
        widths, derivatives = shares_of(raw_widths, self.min_width), F.softplus(raw_derivatives)
        mean = (widths * _means(derivatives)).sum(-1, keepdim=True)
        derivatives = self.min_derivative + (1 - self.min_derivative) * derivatives / mean
        heights = widths * _means(derivatives)
        return knots_of(widths, self.bound), knots_of(heights, self.bound), derivatives

    def forward(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``y`` and log dy/dx, elementwise."""
        xs, ys, derivatives = parameters
        past, share, y0, v0, v1 = _in_bin(at_least_float32(x).clamp(-self.bound, self.bound), xs, ys, derivatives)
        # A mean of the two ends, not one end and a difference: that would cancel where the other end is nearly flat.
        derivative = v0 * (1 - share) + v1 * share
        y = y0 + past * (v0 + derivative) / 2
        return identity_outside(x, y, derivative.log(), self.bound)

    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``x`` and log dx/dy, elementwise."""
        xs, ys, derivatives = parameters
        past, share, x0, v0, v1 = _in_bin(at_least_float32(y).clamp(-self.bound, self.bound), ys, xs, derivatives)
        derivative = (v0.square() * (1 - share) + v1.square() * share).sqrt()
        x = x0 + 2 * past / (v0 + derivative)
        return identity_outside(y, x, -derivative.log(), self.bound)


def _means(ends: Tensor) -> Tensor:
    """The mean of the two ends of each bin."""
    return (ends[..., :-1] + ends[..., 1:]) / 2


def _in_bin(value: Tensor, knots: Tensor, others: Tensor, derivatives: Tensor) -> tuple[Tensor, ...]:
    """How far a value is past the start of its bin, as a share of the bin too, and what its ends are like.

    Args:
        value: on one axis.
        knots: on that axis.
        others: on the other axis.
        derivatives: at the knots.

    Returns:
        The distance and the share, the bin's start on the other axis, and the derivatives at both ends.
    """
    index = locate(value, knots)
    start = pick(knots, index)
    past = value - start
    share = (past / (pick(knots, index + 1) - start)).clamp(0, 1)
    return past, share, pick(others, index), pick(derivatives, index), pick(derivatives, index + 1)
