import math

import torch
from torch.distributions.transforms import SoftplusTransform

from flowkit.transforms.softplus import Softplus


def test_it_is_torchs_softplus() -> None:
    x = torch.linspace(-15, 15, 31, dtype=torch.float64)
    y, log_derivative = Softplus()(x)
    torch.testing.assert_close(y, SoftplusTransform()(x))
    torch.testing.assert_close(log_derivative, SoftplusTransform().log_abs_det_jacobian(x, y))


def test_there_is_no_threshold() -> None:
    # From 20, torch's own softplus takes x for log(1 + e^x): an error of 2e-9, and a log-derivative of 0.
    x = torch.tensor([25.0], dtype=torch.float64)
    y, log_derivative = Softplus()(x)
    assert y.item() == x.item() + math.log1p(math.exp(-25))
    torch.testing.assert_close(log_derivative.item(), -math.exp(-25.0), rtol=1e-6, atol=0)


def test_both_ends_come_back() -> None:
    for dtype, lowest in ((torch.float32, -87.0), (torch.float64, -708.0)):
        x = torch.tensor([lowest, -40.0, 0.0, 40.0, 1e4], dtype=dtype)
        y, log_derivative = Softplus()(x)
        back, log_back = Softplus().inverse(y)
        torch.testing.assert_close(back, x)
        torch.testing.assert_close(log_back, -log_derivative)


def test_the_interval_ends_where_it_would_underflow() -> None:
    lower, upper = Softplus().domain(torch.float32)
    assert Softplus()(torch.tensor([lower + 1e-3]))[0] > torch.finfo(torch.float32).tiny
    assert Softplus().codomain(torch.float32) == (torch.finfo(torch.float32).tiny, math.inf)
    assert upper == math.inf
