import pytest
import torch
from zuko.transforms import UnconstrainedMonotonicTransform

from flowkit.transforms import UnconstrainedMonotonic

DTYPE = torch.float64


def moved(weight: float, points: int = 32) -> UnconstrainedMonotonic:
    """One whose network has weights of a given size on its argument."""
    torch.manual_seed(0)
    transform = UnconstrainedMonotonic(signal=3, hidden=(8,), points=points).double()
    for parameter in transform.parameters():
        parameter.data = torch.randn_like(parameter) / parameter[0].numel() ** 0.5
    transform.network.of_number.weight.data = weight * torch.randn(8, 1, dtype=DTYPE).sign()
    return transform.requires_grad_(False)


def error(transform: UnconstrainedMonotonic) -> float:
    """How far the integral is off that over 400 points, up to ``x = 4``."""
    x, raw = torch.linspace(-4, 4, 81, dtype=DTYPE), torch.randn(81, 4, dtype=DTYPE)
    finer = moved(abs(transform.network.of_number.weight[0].item()), points=400)
    return float((transform(x, transform.constrain(raw))[0] - finer(x, finer.constrain(raw))[0]).abs().max())


def test_the_integral_agrees_with_zuko() -> None:
    transform = moved(0.7)
    x, raw = 2 * torch.randn(20, dtype=DTYPE), torch.randn(20, 4, dtype=DTYPE)
    signal, shift = transform.constrain(raw)

    def slope(t: torch.Tensor) -> torch.Tensor:
        values = transform.network(t.unsqueeze(-1), signal).squeeze(-1)
        return (7 * torch.tanh(values / 7)).exp()

    expected = UnconstrainedMonotonicTransform(slope)
    y, log_derivative = transform(x, (signal, shift))
    torch.testing.assert_close(y - shift, expected(x), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(log_derivative, expected.log_abs_det_jacobian(x, y))


def test_the_integral_s_error_is_what_is_stated() -> None:
    assert error(moved(2.0)) < 1e-9
    assert 1e-9 < error(moved(6.0)) < 1e-3


def test_it_comes_back_far_out_too() -> None:
    transform = moved(1.0)
    x = torch.tensor([-1e4, -20.0, -1.0, 0.0, 3.0, 1e4], dtype=DTYPE)
    parameters = transform.constrain(torch.randn(6, 4, dtype=DTYPE))
    torch.testing.assert_close(transform.inverse(transform(x, parameters)[0], parameters)[0], x, rtol=1e-10, atol=1e-10)


def test_what_it_is_made_with_is_checked() -> None:
    with pytest.raises(ValueError, match="points is 0"):
        UnconstrainedMonotonic(points=0)
    with pytest.raises(ValueError, match=r"hidden is \(\)"):
        UnconstrainedMonotonic(hidden=())
