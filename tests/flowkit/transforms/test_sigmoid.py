import math

import torch
from torch.distributions.transforms import SigmoidTransform

from flowkit.transforms.sigmoid import Logit, Sigmoid


def test_it_is_torchs_sigmoid() -> None:
    x = torch.linspace(-20, 20, 41, dtype=torch.float64)
    y, log_derivative = Sigmoid()(x)
    torch.testing.assert_close(y, torch.sigmoid(x))
    torch.testing.assert_close(log_derivative, SigmoidTransform().log_abs_det_jacobian(x, y))


def test_logit_is_its_inverse() -> None:
    x = torch.linspace(0.01, 0.99, 41, dtype=torch.float64)
    y, log_derivative = Logit()(x)
    torch.testing.assert_close(y, torch.logit(x))
    torch.testing.assert_close(log_derivative, -(x * (1 - x)).log())
    torch.testing.assert_close(Logit().inverse(y), Sigmoid()(y))
    assert Logit().domain(torch.float32) == (0.0, 1.0)


def test_the_log_derivative_is_exact_where_the_sigmoid_is_flat() -> None:
    # sigma'(x) = e^-|x| (1 - 2 e^-|x| ...): in float32 sigma(40) (1 - sigma(40)) would be 0.
    _, log_derivative = Sigmoid()(torch.tensor([-1e4, -40.0, 40.0, 1e4]))
    torch.testing.assert_close(log_derivative, torch.tensor([-1e4, -40.0, -40.0, -1e4]))


def test_the_logit_of_tiny_numbers() -> None:
    y, log_derivative = Logit()(torch.tensor([1e-30]))
    torch.testing.assert_close(y, torch.tensor([-30 * math.log(10)]))
    torch.testing.assert_close(log_derivative, torch.tensor([30 * math.log(10)]))
