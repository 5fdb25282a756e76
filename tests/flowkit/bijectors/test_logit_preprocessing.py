import pytest
import torch

from flowkit.bijectors.logit_preprocessing import LogitPreprocessing


@pytest.mark.parametrize("alpha", [0.05, 1e-6, 0.4])
def test_the_formula(alpha: float) -> None:
    x = torch.rand(2, 3, 4, 4, dtype=torch.float64)
    p = alpha + (1 - 2 * alpha) * x
    z, log_det = LogitPreprocessing(alpha)(x)
    torch.testing.assert_close(z, torch.logit(p))
    derivative = (1 - 2 * alpha) / (p * (1 - p))
    torch.testing.assert_close(log_det, derivative.log().sum((1, 2, 3)))
    back, log_back = LogitPreprocessing(alpha).inverse(z)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(log_back, -log_det)


@pytest.mark.parametrize("alpha", [0.05, 1e-6, 1e-9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_both_ends_are_taken_and_opposite(alpha: float, dtype: torch.dtype) -> None:
    z, log_det = LogitPreprocessing(alpha, event_dims=1)(torch.tensor([[0.0], [1.0]], dtype=dtype))
    assert z.isfinite().all()
    assert z[0] < 0
    # Nothing is lost at the upper end, where p is rounded beside 1.
    torch.testing.assert_close(z[1], -z[0])
    torch.testing.assert_close(log_det[1], log_det[0])


@pytest.mark.parametrize("alpha", [0.05, 1e-6, 0.4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_all_that_is_taken_gives_finite_numbers(alpha: float, dtype: torch.dtype) -> None:
    layer = LogitPreprocessing(alpha, event_dims=1)
    lower, upper = layer.domain(dtype)
    ends = torch.tensor([lower, upper], dtype=dtype)
    for value in torch.cat([torch.nextafter(ends, ends.flip(0)), ends]):
        if lower < value < upper:
            z, log_det = layer(value[None])
            assert z.isfinite().all()
            assert log_det.isfinite()


@pytest.mark.parametrize("value", [-0.06, 1.06])
def test_values_past_the_margin_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"open interval \(-0\.0555555, 1\.05556\)"):
        LogitPreprocessing(0.05, event_dims=1)(torch.tensor([0.5, value]))


@pytest.mark.parametrize("alpha", [0.0, 0.5, -0.1])
def test_a_margin_out_of_range_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match=f"alpha is {alpha}"):
        LogitPreprocessing(alpha)
