import pytest
import torch
from nflows.transforms.splines.quadratic import quadratic_spline

from flowkit.transforms import QuadraticSpline

DTYPE = torch.float64


@pytest.mark.parametrize("inverse", [False, True], ids=["forward", "inverse"])
def test_it_agrees_with_nflows(inverse: bool) -> None:
    torch.manual_seed(0)
    spline = QuadraticSpline(6, 2.0)
    x, raw = 4 * torch.rand(20, 31, dtype=DTYPE) - 2, torch.randn(20, 31, 13, dtype=DTYPE)
    # There, derivatives are softplus(raw) + 1e-3 before they are normalised.
    theirs = torch.log(torch.expm1(torch.nn.functional.softplus(raw[..., 6:]) - 1e-3))
    parameters = spline.constrain(raw)
    got = spline.inverse(x, parameters) if inverse else spline(x, parameters)
    ends = {"left": -2.0, "right": 2.0, "bottom": -2.0, "top": 2.0}
    expected = quadratic_spline(x, raw[..., :6], theirs, inverse=inverse, **ends)
    # Their inverse subtracts two numbers that are alike where a piece is nearly straight.
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-9 if inverse else 1e-12)


def test_its_derivative_is_continuous_within_the_interval() -> None:
    torch.manual_seed(0)
    spline = QuadraticSpline(5)
    parameters = spline.constrain(torch.randn(11, dtype=DTYPE))
    knots, values, derivatives = parameters
    for side in (-1e-10, 1e-10):
        y, log_derivative = spline(knots[1:-1] + side, parameters)
        # Slopes and their changes are below 1e3.
        torch.testing.assert_close(y, values[1:-1], rtol=0, atol=1e-7)
        torch.testing.assert_close(log_derivative.exp(), derivatives[1:-1], rtol=0, atol=1e-6)


def test_a_least_derivative_that_no_spline_has_is_refused() -> None:
    with pytest.raises(ValueError, match=r"min_derivative is 1\.5"):
        QuadraticSpline(4, min_derivative=1.5)


@pytest.mark.parametrize("size", [2.0, 6.0])
def test_bins_that_start_steep_and_end_flat_give_numbers_in_float32(size: float) -> None:
    """Outside of the interval and just below a knot, where the square of the slope is a small difference."""
    torch.manual_seed(0)
    spline = QuadraticSpline()
    raw = (size * torch.randn(20_000, 17)).requires_grad_()
    knots = spline.constrain(raw)[1][:, 3].detach()
    for y in (torch.full((20_000,), 5.0), torch.nextafter(knots, torch.tensor(-9.0))):
        x, log_derivative = spline.inverse(y, spline.constrain(raw))
        assert bool(x.isfinite().all() and log_derivative.isfinite().all())
        (gradient,) = torch.autograd.grad(x.sum() + log_derivative.sum(), raw)
        assert bool(gradient.isfinite().all())
