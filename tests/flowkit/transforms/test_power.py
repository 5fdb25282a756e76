import math

import pytest
import torch
from torch.distributions.transforms import PowerTransform

from flowkit.transforms.power import Power

EXPONENTS = [2.0, 0.5, -1.0, 3.0, -0.3, 1.0]


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_it_is_torchs_power(exponent: float) -> None:
    x = torch.linspace(0.1, 20, 41, dtype=torch.float64)
    y, log_derivative = Power(exponent)(x)
    reference = PowerTransform(torch.tensor(exponent, dtype=torch.float64))
    torch.testing.assert_close(y, reference(x))
    torch.testing.assert_close(log_derivative, reference.log_abs_det_jacobian(x, y))
    back, log_back = Power(exponent).inverse(y)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(log_back, -log_derivative)


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_the_interval_is_where_neither_side_overflows(exponent: float) -> None:
    tiny, largest = torch.finfo(torch.float64).tiny, torch.finfo(torch.float64).max
    lower, upper = Power(exponent).domain(torch.float64)
    assert tiny <= lower < 1 < upper <= largest
    # At each end, the number or its power is at the end of the floating-point range: by logarithms, which round
    # numbers of size 700 at 1e-13.
    for end in (lower, upper):
        sizes = abs(math.log(end)), abs(exponent * math.log(end))
        assert max(sizes) == pytest.approx(math.log(largest), rel=2e-3)
    assert Power(exponent).codomain(torch.float64) == Power(1 / exponent).domain(torch.float64)


@pytest.mark.parametrize("exponent", [0.0, math.inf, -math.inf, math.nan])
def test_an_exponent_without_an_inverse_is_refused(exponent: float) -> None:
    with pytest.raises(ValueError, match=f"exponent is {exponent}"):
        Power(exponent)
