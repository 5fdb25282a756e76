"""The sum-of-squares polynomial."""

import torch
from torch import Tensor

from flowkit.ops.polynomial import polynomial
from flowkit.ops.precision import at_least_float32
from flowkit.transforms.monotone import StraightTails

__all__ = ["SumOfSquares"]

# The smallest slope: the rounding of one direction grows at most by its inverse in the other.
SMALLEST_SLOPE = 1e-3


class SumOfSquares(StraightTails):
    r"""The integral of a sum of squared polynomials, on ``[-bound, bound]``; straight outside.

    .. math:: y = b + \int_0^x \left(\epsilon + \sum_{k=1}^{K} p_k(t / B)^2\right) dt, \qquad
              p_k(u) = \sum_{l=0}^{L} a_{kl}\, u^l

    Every increasing polynomial of degree :math:`2 L + 1` is of this form with two squares, up to the smallest slope
    :math:`\epsilon = 0.001`. The integral is in closed form; the inverse is :func:`~flowkit.ops.monotone_root`'s. The
    raw parameters of one number are the coefficients :math:`a_{kl}`, less their start, and ``b``. All zeros are the
    identity, its slope shared unequally by the constants :math:`a_{k0}`, so that the polynomials can become different.

    Args:
        polynomials: ``K``, >= 1; 2 reach all.
        degree: ``L`` of the polynomials that are squared, >= 1.
        bound: ``B``, half the length of the interval, > 0; in units of ``x``.

    Raises:
        ValueError: an argument is outside its range.

    References:
        Jaini, Selby and Yu, Sum-of-squares polynomial flow, 2019, eq. 9.

    Examples:
        >>> transform = SumOfSquares()
        >>> x = torch.tensor([-1.0, 8.0])
        >>> y, log_dydx = transform(x, transform.constrain(torch.zeros(2, 9)))
        >>> torch.allclose(y, x, atol=1e-5), bool(log_dydx.abs().max() < 1e-5)
        (True, True)
    """

    def __init__(self, polynomials: int = 2, degree: int = 3, bound: float = 5.0) -> None:
        super().__init__(bound)
        if polynomials < 1 or degree < 1:
            raise ValueError(f"polynomials is {polynomials} and degree is {degree}; both are at least 1")
        self.polynomials = polynomials
        self.degree = degree
        self.parameters_per_element = polynomials * (degree + 1) + 1

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Coefficients and shift from raw parameters, in float32 at least.

        Args:
            raw: ``... x (K (L + 1) + 1)``.

        Returns:
            The coefficients ``... x K x (L + 1)``; those of the polynomial ``(y - b) / x``, ``... x (2 L + 1)``; ``b``.
        """
        raw = at_least_float32(raw)
        number = torch.arange(1, self.polynomials + 1, dtype=raw.dtype, device=raw.device)
        start = number / number.square().sum().sqrt() * (1 - SMALLEST_SLOPE) ** 0.5
        free = raw[..., :-1].unflatten(-1, (self.polynomials, self.degree + 1))
        coefficients = torch.cat([free[..., :1] + start.unsqueeze(-1), free[..., 1:]], -1)
        products = (coefficients.unsqueeze(-1) * coefficients.unsqueeze(-2)).sum(-3)
        # The coefficient of u^m is the sum over i + j = m.
        turned = products.flip(-1)
        square = [turned.diagonal(self.degree - m, -2, -1).sum(-1) / (m + 1) for m in range(2 * self.degree + 1)]
        return coefficients, torch.stack([square[0] + SMALLEST_SLOPE, *square[1:]], -1), raw[..., -1]

    def inside(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``y`` and log dy/dx, elementwise, for ``x`` in ``[-bound, bound]``."""
        coefficients, integral, shift = parameters
        u = x / self.bound
        slope = polynomial(coefficients.unbind(-1), u.unsqueeze(-1)).square().sum(-1) + SMALLEST_SLOPE
        return shift + x * polynomial(integral.unbind(-1), u), slope.log()
