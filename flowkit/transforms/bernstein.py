"""The Bernstein polynomial."""

import math

import torch.nn.functional as F
from torch import Tensor

from flowkit.ops.precision import at_least_float32
from flowkit.transforms.bernstein_basis import bernstein_basis
from flowkit.transforms.monotone import StraightTails

__all__ = ["BernsteinPolynomial"]

# The smallest step between two coefficients, as a part of what it is for the identity: the smallest slope.
SMALLEST_STEP = 1e-3


class BernsteinPolynomial(StraightTails):
    r"""A polynomial in Bernstein's form with increasing coefficients, on ``[-bound, bound]``; straight outside.

    .. math::
        y = \sum_{i=0}^{n} \alpha_i \binom{n}{i} t^i (1 - t)^{n - i}, \qquad
        \frac{dy}{dx} = \frac{n}{2 B} \sum_{i=0}^{n-1} (\alpha_{i+1} - \alpha_i) \binom{n-1}{i} t^i (1 - t)^{n-1-i},
        \qquad t = \frac{x + B}{2 B}

    As no term of the derivative is negative, it is increasing, and both sums are well conditioned at any degree; beyond
    64 they take a step for each. The inverse is :func:`~flowkit.ops.monotone_root`'s. The raw parameters of one number
    are the ``degree`` steps between coefficients, positive by a softplus, and a shift. All zeros are the identity.

    Args:
        degree: ``n``, >= 1.
        bound: ``B``, half the length of the interval, > 0; in units of ``x``.

    Raises:
        ValueError: an argument is outside its range.

    References:
        Ramasinghe, Fernando, Khan and Barnes, Robust normalizing flows using Bernstein-type polynomials, 2021, sec. 3.
        Sick, Hothorn and Dürr, Deep transformation models, 2020, sec. III (straight outside).

    Examples:
        >>> import torch
        >>> transform = BernsteinPolynomial(degree=6)
        >>> x = torch.tensor([-1.0, 8.0])
        >>> y, log_dydx = transform(x, transform.constrain(torch.zeros(2, 7)))
        >>> torch.allclose(y, x, atol=1e-5), bool(log_dydx.abs().max() < 1e-5)
        (True, True)
    """

    def __init__(self, degree: int = 16, bound: float = 5.0) -> None:
        super().__init__(bound)
        if degree < 1:
            raise ValueError(f"degree is {degree}; it is at least 1")
        self.degree = degree
        self.parameters_per_element = degree + 1

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Coefficients ``... x (n + 1)`` and the steps between them ``... x n``, from ``... x (n + 1)``."""
        raw_steps, shift = at_least_float32(raw).split([self.degree, 1], -1)
        # A raw step of 0 is to be that of the identity.
        positive = F.softplus(raw_steps + math.log(math.expm1(1 - SMALLEST_STEP))) + SMALLEST_STEP
        steps = 2 * self.bound / self.degree * positive
        ends = F.pad(steps.cumsum(-1), (1, 0))
        return ends - ends[..., -1:] / 2 + shift, steps

    def inside(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``y`` and log dy/dx, elementwise, for ``x`` in ``[-bound, bound]``."""
        coefficients, steps = parameters
        t = (x + self.bound) / (2 * self.bound)
        slope = (steps * bernstein_basis(self.degree - 1, t)).sum(-1) * (self.degree / (2 * self.bound))
        return (coefficients * bernstein_basis(self.degree, t)).sum(-1), slope.log()
