import math

import torch
from torch.distributions.transforms import ExpTransform

from flowkit.transforms.exp import Exp, Log


def test_it_is_torchs_exponential() -> None:
    x = torch.linspace(-20, 20, 41, dtype=torch.float64)
    y, log_derivative = Exp()(x)
    torch.testing.assert_close(y, ExpTransform()(x))
    torch.testing.assert_close(log_derivative, ExpTransform().log_abs_det_jacobian(x, y))


def test_log_is_its_inverse() -> None:
    x = torch.linspace(0.1, 20, 41, dtype=torch.float64)
    y, log_derivative = Log()(x)
    torch.testing.assert_close(y, x.log())
    torch.testing.assert_close(log_derivative, -x.log())
    torch.testing.assert_close(Log().inverse(y), Exp()(y))
    assert Log().domain(torch.float32) == Exp().codomain(torch.float32)


def test_the_intervals_are_those_of_normal_numbers() -> None:
    for dtype in (torch.float32, torch.float64):
        limits = torch.finfo(dtype)
        assert Exp().codomain(dtype) == (limits.tiny, limits.max)
        assert Exp().domain(dtype) == (math.log(limits.tiny), math.log(limits.max))
    # Half precision is worked out in float32.
    assert Exp().domain(torch.float16) == Exp().domain(torch.float32)
