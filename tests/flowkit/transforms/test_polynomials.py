"""Increasing polynomials: sums of squares, Bernstein's form, and what is straight outside an interval."""

import numpy as np
import pytest
import torch
from scipy.stats import binom
from torch import Tensor
from zuko.transforms import SOSPolynomialTransform

from flowkit.transforms import BernsteinPolynomial, StraightTails, SumOfSquares
from flowkit.transforms.bernstein_basis import bernstein_basis

DTYPE = torch.float64
POLYNOMIALS = [SumOfSquares(2, 3), BernsteinPolynomial(7)]
every = pytest.mark.parametrize("polynomial", POLYNOMIALS, ids=lambda polynomial: type(polynomial).__name__)


def drawn(transform: StraightTails, count: int, dtype: torch.dtype = DTYPE) -> tuple[Tensor, ...]:
    torch.manual_seed(0)
    return transform.constrain(torch.randn(count, transform.parameters_per_element, dtype=dtype))


def test_the_sum_of_squares_agrees_with_zuko() -> None:
    transform = SumOfSquares(2, 3)
    coefficients, _, shift = parameters = drawn(transform, 50)
    x = 4 * torch.rand(50, dtype=DTYPE) - 2
    # There, squares are averaged, a 1 is added to each polynomial, and u is x over 10.
    powers = (10.0 / transform.bound) ** torch.arange(4, dtype=DTYPE)
    theirs = coefficients * powers * 2**0.5
    theirs = torch.cat([theirs[..., :1] - 1, theirs[..., 1:]], -1)
    expected = SOSPolynomialTransform(theirs)
    got, log_derivative = transform(x, parameters)
    torch.testing.assert_close(got - shift, expected(x), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(log_derivative, expected.log_abs_det_jacobian(x, got), rtol=1e-10, atol=1e-10)


def test_bernstein_coefficients_are_the_polynomial_s_values_at_the_ends() -> None:
    transform = BernsteinPolynomial(7, bound=2.0)
    coefficients, steps = parameters = drawn(transform, 50)
    ends = torch.tensor([[-2.0], [2.0]], dtype=DTYPE).expand(2, 50)
    values, log_slopes = transform(ends, parameters)
    torch.testing.assert_close(values, coefficients[:, [0, -1]].T)
    torch.testing.assert_close(log_slopes, (steps[:, [0, -1]].T * 7 / 4).log())


def test_a_bernstein_polynomial_of_straight_coefficients_is_straight() -> None:
    transform = BernsteinPolynomial(16, bound=5.0)
    x = torch.linspace(-7, 7, 101, dtype=DTYPE)
    y, log_derivative = transform(x, transform.constrain(torch.zeros(101, 17, dtype=DTYPE)))
    torch.testing.assert_close(y, x, rtol=0, atol=1e-12)
    torch.testing.assert_close(log_derivative, torch.zeros_like(x), rtol=0, atol=1e-12)


@every
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 1e-3)])
def test_it_comes_back_near_and_far(polynomial: StraightTails, dtype: torch.dtype, tolerance: float) -> None:
    x = torch.cat([3 * torch.randn(1000, dtype=dtype), torch.tensor([-1e4, -300.0, 300.0, 1e4], dtype=dtype)])
    parameters = drawn(polynomial, len(x), dtype)
    y, _ = polynomial(x, parameters)
    back, _ = polynomial.inverse(y, parameters)
    assert float(((back - x).abs() / (1 + x.abs())).max()) < tolerance


@every
def test_it_goes_on_straight(polynomial: StraightTails) -> None:
    parameters = drawn(polynomial, 5)
    bound = polynomial.bound
    at, beyond = (polynomial(torch.full((5,), value, dtype=DTYPE), parameters) for value in (bound, bound + 3))
    torch.testing.assert_close(beyond[0] - at[0], 3 * at[1].exp())
    torch.testing.assert_close(beyond[1], at[1])


def test_what_they_are_made_with_is_checked() -> None:
    with pytest.raises(ValueError, match="degree is 0"):
        BernsteinPolynomial(0)
    with pytest.raises(ValueError, match="polynomials is 0 and degree is 3"):
        SumOfSquares(0)
    with pytest.raises(ValueError, match="bound is 0"):
        SumOfSquares(bound=0)


@pytest.mark.parametrize("degree", [64, 65, 150, 1100])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 1e-4)])
def test_bernstein_polynomials_of_any_degree_are_right(degree: int, dtype: torch.dtype, tolerance: float) -> None:
    """Each is a binomial probability, whose logarithm scipy has; all add up to 1."""
    t = torch.tensor([0.0, 0.1, 0.5, 0.93, 1.0], dtype=dtype)
    basis = bernstein_basis(degree, t)
    expected = torch.from_numpy(binom.pmf(np.arange(degree + 1), degree, t.double().numpy()[:, None]))
    torch.testing.assert_close(basis.double(), expected, rtol=0, atol=tolerance)
    torch.testing.assert_close(basis.sum(-1), torch.ones_like(t), rtol=tolerance, atol=0)
