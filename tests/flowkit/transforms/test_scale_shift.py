import torch

from flowkit import Affine, ScaleShift


def test_scale_then_shift_and_back() -> None:
    x, shift, log_scale = (torch.randn(5, dtype=torch.float64) for _ in range(3))
    y, log_derivative = ScaleShift()(x, (shift, log_scale))
    torch.testing.assert_close(y, x * log_scale.exp() + shift)
    assert torch.equal(log_derivative, log_scale)
    back, log_back = ScaleShift().inverse(y, (shift, log_scale))
    torch.testing.assert_close(back, x)
    assert torch.equal(log_back, -log_scale)


def test_it_is_the_affine_transform_with_its_shift_scaled() -> None:
    x, shift, log_scale = (torch.randn(5, dtype=torch.float64) for _ in range(3))
    y, _ = ScaleShift()(x, (shift * log_scale.exp(), log_scale))
    torch.testing.assert_close(y, Affine()(x, (shift, log_scale))[0])
