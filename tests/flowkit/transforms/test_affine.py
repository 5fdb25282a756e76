import torch
from torch import nn

from flowkit import Affine
from flowkit.transforms import BoundedLogScale, SigmoidScale


def test_shift_then_scale_and_back() -> None:
    x, shift, log_scale = (torch.randn(5, dtype=torch.float64) for _ in range(3))
    y, log_derivative = Affine()(x, (shift, log_scale))
    torch.testing.assert_close(y, (x + shift) * log_scale.exp())
    assert torch.equal(log_derivative, log_scale)
    back, log_back = Affine().inverse(y, (shift, log_scale))
    torch.testing.assert_close(back, x)
    assert torch.equal(log_back, -log_scale)


def test_the_scale_function_is_the_users() -> None:
    raw = torch.tensor([[1.0, 3.0]])
    assert isinstance(Affine().scale, BoundedLogScale)
    assert Affine(nn.Identity()).constrain(raw) == (raw[:, 0], raw[:, 1])
    shift, log_scale = Affine(SigmoidScale()).constrain(raw)
    assert shift == raw[0, 0]
    assert log_scale == SigmoidScale()(raw[0, 1])


def test_parameters_leave_half_precision() -> None:
    half = torch.ones(3, 2, dtype=torch.bfloat16)
    assert {p.dtype for p in Affine().constrain(half)} == {torch.float32}
    double = half.double()
    assert {p.dtype for p in Affine().constrain(double)} == {torch.float64}
