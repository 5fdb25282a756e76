import torch

from flowkit import Additive


def test_shift_alone() -> None:
    x, shift = torch.randn(5, dtype=torch.float64), torch.randn(5, dtype=torch.float64)
    y, log_derivative = Additive()(x, (shift,))
    assert torch.equal(y, x + shift)
    assert torch.equal(log_derivative, torch.zeros_like(x))
    back, log_back = Additive().inverse(y, (shift,))
    torch.testing.assert_close(back, x)
    assert torch.equal(log_back, torch.zeros_like(x))


def test_parameters_leave_half_precision() -> None:
    (shift,) = Additive().constrain(torch.ones(2, 1, dtype=torch.float16))
    assert shift.dtype == torch.float32
