import math

import torch
from torch.distributions.transforms import TanhTransform

from flowkit.transforms.tanh import Arctanh, Tanh


def test_it_is_torchs_tanh() -> None:
    x = torch.linspace(-15, 15, 31, dtype=torch.float64)
    y, log_derivative = Tanh()(x)
    torch.testing.assert_close(y, torch.tanh(x))
    # 1e-12: torch takes softplus(t) for t from t = 20, which leaves 2e-9 of a value of 20.
    torch.testing.assert_close(log_derivative, TanhTransform().log_abs_det_jacobian(x, y), rtol=2e-10, atol=1e-12)


def test_arctanh_is_its_inverse() -> None:
    x = torch.linspace(-0.99, 0.99, 41, dtype=torch.float64)
    y, log_derivative = Arctanh()(x)
    torch.testing.assert_close(y, torch.atanh(x))
    torch.testing.assert_close(log_derivative, -torch.log1p(-x * x))
    torch.testing.assert_close(Arctanh().inverse(y), Tanh()(y))
    assert Arctanh().domain(torch.float32) == (-1.0, 1.0)


def test_the_log_derivative_is_exact_where_tanh_is_flat() -> None:
    # 1 - tanh(x)^2 = 4 e^-2|x| (1 - 2 e^-2|x| ...): in float32 it would be 0 from about 9.
    x = torch.tensor([-1e4, -30.0, 30.0, 1e4])
    torch.testing.assert_close(Tanh()(x)[1], math.log(4) - 2 * x.abs())


def test_the_gradient_of_the_log_derivative_at_zero() -> None:
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(Tanh()(x)[1].sum(), x)
    assert gradient == 0
