"""The monotonic cubic spline."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from flowkit.ops.precision import at_least_float32
from flowkit.ops.root_finding import monotone_root
from flowkit.transforms.knots import identity_outside, knots_of, locate, pick, require_bins, shares_of
from flowkit.transforms.transform import Transform

__all__ = ["CubicSpline"]

# An end's derivative is within these parts of three times its bin's slope, over which a cubic would turn back.
LEAST = 1e-3


class CubicSpline(Transform):
    r"""Cubic pieces on ``[-bound, bound]`` with a continuous derivative, by Steffen's method; the identity outside.

    In the bin of width :math:`w` and slope :math:`s` that starts at the knot :math:`(x_0, y_0)`, with the derivatives
    :math:`d_0` and :math:`d_1` at its ends and :math:`t = (x - x_0) / w`,

    .. math::
        y = y_0 + w \left( s\, t^2 (3 - 2t) + d_0\, t (1 - t)^2 - d_1\, t^2 (1 - t) \right), \qquad
        \frac{dy}{dx} = d_0 (1 - t)^2 + 2 (3 s - d_0 - d_1)\, t (1 - t) + d_1 t^2

    The derivative at an inner knot is set by the slopes of its two bins such that no piece turns back. The inverse is
    found within its bin by :func:`~flowkit.ops.monotone_root`, where the formulas for the roots of a cubic lose digits.

    The raw parameters of one number are ``bins`` widths, ``bins`` heights, both shares by a softmax, and the two
    derivatives at the ends, by sigmoids. At the ends the derivative jumps to 1. All zeros are the identity.

    Args:
        bins: number of bins ``K``, >= 2.
        bound: half the length of the interval, > 0; in units of ``x``.
        min_width: smallest width of a bin, as a share of the interval, > 0 and < ``1 / bins``.
        min_height: smallest height of a bin, likewise.

    Raises:
        ValueError: an argument is outside its range.

    References:
        Durkan, Bekasov, Murray and Papamakarios, Cubic-spline flows, 2019, sec. 2.
        Steffen, A simple method for monotonic interpolation in one dimension, 1990.

    Examples:
        >>> spline = CubicSpline(bins=4)
        >>> x = torch.tensor([-1.0, 8.0])
        >>> y, log_dydx = spline(x, spline.constrain(torch.zeros(2, 10)))
        >>> torch.allclose(y, x, atol=1e-5), bool(log_dydx.abs().max() < 1e-5)
        (True, True)
    """

    def __init__(self, bins: int = 8, bound: float = 3.0, min_width: float = 1e-3, min_height: float = 1e-3) -> None:
        super().__init__()
        require_bins(bins, bound, min_width=min_width, min_height=min_height)
        self.bins = bins
        self.bound = bound
        self.min_width = min_width
        self.min_height = min_height
        self.parameters_per_element = 2 * bins + 2

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Knots from raw parameters, in float32 at least.

        Args:
            raw: ``... x (2 K + 2)``: widths, heights, the first and the last derivative.

        Returns:
            Three tensors ``... x (K + 1)``: the knots' ``x``, their ``y``, and their derivatives.
        """
        sizes = [self.bins, self.bins, 2]
        raw_widths, raw_heights, raw_ends = at_least_float32(raw).split(sizes, -1)
        widths, heights = shares_of(raw_widths, self.min_width), shares_of(raw_heights, self.min_height)
        slopes = heights / widths
        derivatives = torch.cat([_end(slopes, raw_ends, 0), _inner(slopes, widths), _end(slopes, raw_ends, -1)], -1)
        return knots_of(widths, self.bound), knots_of(heights, self.bound), derivatives

    def forward(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``y`` and log dy/dx, elementwise."""
        inner = at_least_float32(x).clamp(-self.bound, self.bound)
        piece = _Piece.containing(locate(inner, parameters[0]), parameters)
        return identity_outside(x, *piece.at(inner), self.bound)

    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``x`` and log dx/dy, elementwise."""
        inner = at_least_float32(y).clamp(-self.bound, self.bound)
        piece = _Piece.containing(locate(inner, parameters[1]), parameters)
        x = monotone_root(piece.at, inner, piece.x0, piece.x0 + piece.width)
        return identity_outside(y, x, -piece.at(x)[1], self.bound)


class _Piece(NamedTuple):
    """The cubic of the bin that each value is in."""

    x0: Tensor
    y0: Tensor
    width: Tensor
    slope: Tensor
    d0: Tensor
    d1: Tensor

    @staticmethod
    def containing(index: Tensor, parameters: tuple[Tensor, ...]) -> "_Piece":
        xs, ys, derivatives = parameters
        x0, y0 = pick(xs, index), pick(ys, index)
        width, height = pick(xs, index + 1) - x0, pick(ys, index + 1) - y0
        return _Piece(x0, y0, width, height / width, pick(derivatives, index), pick(derivatives, index + 1))

    def at(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Value and log-derivative."""
        t = (x - self.x0) / self.width
        rest = 1 - t
        s, d0, d1 = self.slope, self.d0, self.d1
        y = self.y0 + self.width * t * (d0 + t * (3 * s - 2 * d0 - d1 + t * (d0 + d1 - 2 * s)))
        return y, (d0 * rest * rest + 2 * (3 * s - d0 - d1) * t * rest + d1 * t * t).log()


def _inner(slopes: Tensor, widths: Tensor) -> Tensor:
    """Derivatives at the inner knots: those of a parabola through three, no more than twice either slope."""
    before, after = slopes[..., :-1], slopes[..., 1:]
    width_before, width_after = widths[..., :-1], widths[..., 1:]
    parabola = (width_after * before + width_before * after) / (width_before + width_after)
    return torch.minimum(parabola, 2 * torch.minimum(before, after))


def _end(slopes: Tensor, raw_ends: Tensor, end: int) -> Tensor:
    """The derivative at an end: between 0 and three times the slope there, that slope itself for a raw 0."""
    share = (1 / 3 - LEAST) / (1 - 2 * LEAST)
    start = math.log(share / (1 - share))
    part = LEAST + (1 - 2 * LEAST) * torch.sigmoid(raw_ends[..., end] + start)
    return (3 * slopes[..., end] * part).unsqueeze(-1)
