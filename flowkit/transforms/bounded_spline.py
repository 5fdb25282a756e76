"""Rational-quadratic splines of an interval onto itself."""

import math

import torch
from torch import Tensor

from flowkit.bijector import Interval
from flowkit.transforms.rational_quadratic import RationalQuadraticSpline, bent

__all__ = ["BoundedSpline"]


class BoundedSpline(RationalQuadraticSpline):
    r"""A monotonic rational-quadratic spline of :math:`[-b, b]` onto itself, its derivatives at the ends free.

    .. math:: y = S(x;\, \theta), \qquad S(\pm b) = \pm b

    with the pieces of :class:`~flowkit.RationalQuadraticSpline`, which beyond the ends goes on as the identity and
    therefore has derivatives of 1 there. For data in a box, latents uniform: a density that need not be that of the
    latents at the faces. The raw parameters of one number are ``bins`` widths, ``bins`` heights and ``bins + 1``
    derivatives, from the lower end to the upper one. All zeros are the identity.

    Args:
        bins: number of bins, >= 2.
        bound: ``b``, half the length of the interval, > 0; in units of ``x``.
        min_width: smallest width of a bin, as a share of the interval, > 0 and < ``1 / bins``.
        min_height: smallest height of a bin, likewise.
        min_derivative: smallest derivative at a knot, in (0, 1), where there is no ``max_ratio``.
        max_ratio: how many times as wide, or as high, as another a bin may become, > 1, and how far derivatives may be
            from 1; ``None`` for no such bound.

    Raises:
        ValueError: an argument is outside its range.

    References:
        D. J. Rezende et al., "Normalizing Flows on Tori and Spheres", ICML 2020, sec. 2.2.
        Müller, McWilliams, Rousselle, Gross and Novák, "Neural importance sampling", 2019, sec. 4 (flows of the cube).

    Examples:
        >>> spline = BoundedSpline(bins=4, bound=1.0)
        >>> y, log_dydx = spline(torch.tensor([-1.0, 0.5, 1.0]), spline.constrain(torch.zeros(3, 13)))
        >>> y, bool(log_dydx.abs().max() < 1e-6)
        (tensor([-1.0000,  0.5000,  1.0000]), True)
    """

    def __init__(
        self,
        bins: int = 8,
        bound: float = 1.0,
        min_width: float = 1e-3,
        min_height: float = 1e-3,
        min_derivative: float = 1e-3,
        max_ratio: float | None = 1000.0,
    ) -> None:
        super().__init__(bins, bound, min_width, min_height, min_derivative, max_ratio)
        self.parameters_per_element = 3 * bins + 1

    def domain(self, dtype: torch.dtype) -> Interval:
        """The interval, its ends included."""
        end = self.bound * (1 + 4 * torch.finfo(dtype).eps)
        return -end, end

    def codomain(self, dtype: torch.dtype) -> Interval:
        """The interval, its ends included."""
        return self.domain(dtype)

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Knots, as for :class:`~flowkit.RationalQuadraticSpline`, and the derivatives at the two ends.

        Args:
            raw: ``... x (3 K + 1)``: widths, heights, derivatives.

        Returns:
            Three tensors ``... x (K - 1)`` for the knots inside, and two without a last dimension for the ends.
        """
        raw = raw.to(torch.promote_types(raw.dtype, torch.float32))
        knots = 2 * self.bins
        inner = torch.cat([raw[..., :knots], raw[..., knots + 1 : -1]], -1)
        return *super().constrain(inner), self._end(raw[..., knots]), self._end(raw[..., -1])

    def _end(self, raw: Tensor) -> Tensor:
        return self._derivative(raw if self.max_ratio is None else bent(raw, math.log(self.max_ratio)))

    def _end_derivatives(self, parameters: tuple[Tensor, ...]) -> tuple[Tensor | float, Tensor | float]:
        return parameters[3], parameters[4]

    def _with_tails(self, value: Tensor, result: Tensor, log_derivative: Tensor) -> tuple[Tensor, Tensor]:
        # Rounding may lead a little past an end.
        return result.clamp(-self.bound, self.bound), log_derivative
