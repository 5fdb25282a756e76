import math

import pytest
import torch
from nflows.transforms.splines.cubic import cubic_spline

from flowkit.transforms import CubicSpline

DTYPE = torch.float64


def test_it_agrees_with_nflows() -> None:
    torch.manual_seed(0)
    spline = CubicSpline(6, 2.0)
    x, raw = 4 * torch.rand(20, 31, dtype=DTYPE) - 2, torch.randn(20, 31, 14, dtype=DTYPE)
    parameters = spline.constrain(raw)
    # There, an end's derivative is a sigmoid's share of three times the slope, without a least.
    slopes = (parameters[1].diff() / parameters[0].diff())[..., [0, -1]]
    ends = torch.logit(parameters[2][..., [0, -1]] / (3 * slopes))
    limits = {"left": -2.0, "right": 2.0, "bottom": -2.0, "top": 2.0}
    expected = cubic_spline(x, raw[..., :6], raw[..., 6:12], ends[..., :1], ends[..., 1:], **limits)
    # Their polynomial is in powers of x, whose coefficients divide by the bin's width squared.
    torch.testing.assert_close(spline(x, parameters), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 2e-4)])
def test_it_comes_back(dtype: torch.dtype, tolerance: float) -> None:
    torch.manual_seed(0)
    spline = CubicSpline(8)
    x, raw = 1.5 * torch.randn(10_000, dtype=dtype), torch.randn(10_000, 18, dtype=dtype)
    parameters = spline.constrain(raw)
    y, _ = spline(x, parameters)
    # Rounding of 3 at slopes down to some 1e-3.
    torch.testing.assert_close(spline.inverse(y, parameters)[0], x, rtol=0, atol=tolerance)


def test_no_piece_turns_back_however_extreme_the_parameters() -> None:
    torch.manual_seed(0)
    spline = CubicSpline(5)
    parameters = spline.constrain(20 * torch.randn(500, 1, 12, dtype=DTYPE))
    x = torch.linspace(-2.999, 2.999, 400, dtype=DTYPE)
    y, log_derivative = spline(x, parameters)
    assert log_derivative.isfinite().all()
    assert (y.diff() > 0).all()


def test_the_ends_take_any_slope_up_to_three_times_their_bin_s() -> None:
    spline = CubicSpline(3)
    for raw_end, share in ((50.0, 3 * 0.999), (-50.0, 3 * 0.001), (0.0, 1.0)):
        raw = torch.tensor([0.0] * 6 + [raw_end] * 2, dtype=DTYPE)
        near = torch.tensor([-3 + 1e-9, 3 - 1e-9], dtype=DTYPE)
        _, log_derivative = spline(near, spline.constrain(raw))
        # The slope changes by some 10 per unit of x.
        torch.testing.assert_close(log_derivative, torch.full_like(near, math.log(share)), rtol=0, atol=1e-4)
