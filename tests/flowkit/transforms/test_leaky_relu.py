import math

import pytest
import torch
import torch.nn.functional as F

from flowkit.transforms.leaky_relu import LeakyReLU


@pytest.mark.parametrize("slope", [0.01, 0.5, 1.0, 3.0])
def test_it_is_torchs_leaky_rectifier(slope: float) -> None:
    x = torch.linspace(-3, 3, 8, dtype=torch.float64)
    y, log_derivative = LeakyReLU(slope)(x)
    torch.testing.assert_close(y, F.leaky_relu(x, slope))
    torch.testing.assert_close(log_derivative, torch.where(x < 0, math.log(slope), 0.0).double())
    back, log_back = LeakyReLU(slope).inverse(y)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(log_back, -log_derivative)


def test_at_zero() -> None:
    y, log_derivative = LeakyReLU(0.1)(torch.zeros(1))
    assert y == log_derivative == 0


@pytest.mark.parametrize("slope", [0.0, -0.1, math.inf, math.nan])
def test_a_slope_without_an_inverse_is_refused(slope: float) -> None:
    with pytest.raises(ValueError, match=f"slope is {slope}"):
        LeakyReLU(slope)
