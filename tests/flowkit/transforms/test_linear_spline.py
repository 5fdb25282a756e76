import pytest
import torch
from nflows.transforms.splines.linear import unconstrained_linear_spline

from flowkit.transforms import LinearSpline

DTYPE = torch.float64


@pytest.mark.parametrize("inverse", [False, True], ids=["forward", "inverse"])
def test_it_agrees_with_nflows(inverse: bool) -> None:
    torch.manual_seed(0)
    spline = LinearSpline(6, 2.0)
    x, raw = 1.5 * torch.randn(20, 31, dtype=DTYPE), torch.randn(20, 31, 6, dtype=DTYPE)
    parameters = spline.constrain(raw)
    got = spline.inverse(x, parameters) if inverse else spline(x, parameters)
    # There, no share has a least: the softmax is given these shares' logarithms.
    expected = unconstrained_linear_spline(x, parameters[0].log(), inverse=inverse, tail_bound=2.0)
    # Their inverse has its knots in float32, rounded at 6e-8, whose differences are divided by shares down to 1e-2.
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-4 if inverse else 1e-12)


def test_one_set_of_parameters_serves_many_values() -> None:
    torch.manual_seed(0)
    spline = LinearSpline(4)
    raw, x = torch.randn(4, dtype=DTYPE), torch.randn(5, 3, dtype=DTYPE)
    each = spline(x, spline.constrain(raw.expand(5, 3, 4)))
    torch.testing.assert_close(spline(x, spline.constrain(raw)), each)
    torch.testing.assert_close(
        spline.inverse(x, spline.constrain(raw)), spline.inverse(x, spline.constrain(raw.expand(5, 3, 4)))
    )


def test_bins_that_leave_no_room_are_refused() -> None:
    with pytest.raises(ValueError, match=r"min_height is 0.5; with 4 bins it must lie in \(0, 0.25\)"):
        LinearSpline(4, min_height=0.5)
    with pytest.raises(ValueError, match="bins is 1"):
        LinearSpline(1)
    with pytest.raises(ValueError, match=r"bound is -1\.0"):
        LinearSpline(4, bound=-1.0)
