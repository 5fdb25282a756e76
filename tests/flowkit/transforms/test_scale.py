import math

import pytest
import torch

from flowkit.transforms import BoundedLogScale, SigmoidScale


@pytest.mark.parametrize("bound", [0.5, 2.0, 7.0])
def test_bounded_log_scale(bound: float) -> None:
    scale = BoundedLogScale(bound)
    raw = torch.linspace(-3, 3, 7, dtype=torch.float64)
    torch.testing.assert_close(scale(raw), bound * torch.tanh(raw / bound))
    # The identity at 0 with slope 1, and never over the bound.
    assert scale(torch.zeros(1)) == 0
    torch.testing.assert_close(scale(torch.tensor(1e-4)).item(), 1e-4)
    assert scale(torch.tensor([-1e6, 1e6])).tolist() == [-bound, bound]


@pytest.mark.parametrize("bound", [0.0, -1.0])
def test_a_bound_must_be_positive(bound: float) -> None:
    with pytest.raises(ValueError, match=f"bound is {bound}"):
        BoundedLogScale(bound)


@pytest.mark.parametrize("eps", [0.0, 1e-4, 1e-3])
def test_sigmoid_scale(eps: float) -> None:
    raw = [-9.0, -2.0, 0.0, 4.0]
    expected = [math.log(1 / (1 + math.exp(-(r + 2))) + eps) for r in raw]
    got = SigmoidScale(eps)(torch.tensor(raw, dtype=torch.float64))
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64))


def test_sigmoid_scale_at_the_ends() -> None:
    ends = torch.tensor([-1e4, 1e4], dtype=torch.float64)
    torch.testing.assert_close(SigmoidScale(1e-3)(ends).exp(), torch.tensor([1e-3, 1.001], dtype=torch.float64))
    # Without eps the log-scale is exact where the scale itself would underflow.
    torch.testing.assert_close(SigmoidScale(0.0)(torch.tensor([-1002.0])), torch.tensor([-1000.0]))


def test_eps_must_not_be_negative() -> None:
    with pytest.raises(ValueError, match=r"eps is -0\.1"):
        SigmoidScale(-0.1)
