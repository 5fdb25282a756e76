"""Rational-quadratic splines of a circle onto itself."""

import math

import torch
from torch import Tensor

from flowkit.bijector import Interval
from flowkit.transforms.bounded_spline import BoundedSpline
from flowkit.transforms.phase_shift import circle, wrap_angle

__all__ = ["CircularSpline"]


class CircularSpline(BoundedSpline):
    r"""A rational-quadratic spline of a circle onto itself: of angles in :math:`[-\pi, \pi]`, then a turn.

    .. math:: y = S(x;\, \theta) + \varphi \mod 2 \pi, \qquad S(\pm\pi) = \pm\pi, \quad S'(-\pi) = S'(\pi)

    so that values and densities are continuous where the circle closes. The raw parameters of one angle are ``bins``
    widths, ``bins`` heights, ``bins`` derivatives, the first of them that of :math:`\pm\pi`, and the phase
    :math:`\varphi`. All zeros are the identity.

    Args:
        bins: number of bins, >= 2.
        min_width: smallest width of a bin, as a share of the circle, > 0 and < ``1 / bins``.
        min_height: smallest height of a bin, likewise.
        min_derivative: smallest derivative at a knot, in (0, 1), where there is no ``max_ratio``.
        max_ratio: how many times as wide, or as high, as another a bin may become, > 1, and how far derivatives may be
            from 1; ``None`` for no such bound.

    Raises:
        ValueError: an argument is outside its range.

    References:
        D. J. Rezende et al., "Normalizing Flows on Tori and Spheres", ICML 2020, sec. 2.1.2 and eq. 8 to 10.

    Examples:
        >>> spline = CircularSpline(bins=4)
        >>> raw = torch.zeros(13)
        >>> raw[-1] = math.pi / 2
        >>> spline(torch.tensor(math.pi), spline.constrain(raw))[0]
        tensor(-1.5708)
    """

    def __init__(
        self,
        bins: int = 8,
        min_width: float = 1e-3,
        min_height: float = 1e-3,
        min_derivative: float = 1e-3,
        max_ratio: float | None = 1000.0,
    ) -> None:
        super().__init__(bins, math.pi, min_width, min_height, min_derivative, max_ratio)

    def domain(self, dtype: torch.dtype) -> Interval:
        """The circle, both of its ends included."""
        return circle(dtype)

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Knots, the derivative where the circle closes (twice), and the phase.

        Args:
            raw: ``... x (3 K + 1)``: widths, heights, derivatives, phase.

        Returns:
            Three tensors ``... x (K - 1)`` for the knots inside, and three without a last dimension.
        """
        closing = raw[..., 2 * self.bins : 2 * self.bins + 1]
        phase = raw[..., -1].to(torch.promote_types(raw.dtype, torch.float32))
        return *super().constrain(torch.cat([raw[..., :-1], closing], -1)), phase

    def forward(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``y`` and log dy/dx, of the shape of ``x``."""
        *spline, phase = parameters
        y, log_derivative = super().forward(x, tuple(spline))
        return wrap_angle(y + phase), log_derivative

    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``x`` and log dx/dy, of the shape of ``y``."""
        *spline, phase = parameters
        return super().inverse(wrap_angle(y - phase), tuple(spline))
