import math

import pytest
import scipy.stats
import torch

from flowkit.distributions.student_t import StudentT
from flowkit.testing.subject import perturb


def moved(channels: int, event_dims: int = 1, degrees: float = 5.0) -> StudentT:
    torch.manual_seed(0)
    base = StudentT(channels, event_dims, degrees).double()
    perturb(base, 0.5)
    return base


@pytest.mark.parametrize("degrees", [1.01, 2.0, 30.0, 39.5, 41.0, 1e4])
def test_log_density_of_vectors(degrees: float) -> None:
    base = moved(3, degrees=degrees)
    z = 4 * torch.randn(50, 3, dtype=torch.float64)
    own, mean, scale = (p.detach().numpy() for p in (base.degrees, base.mean, base.log_scale.exp()))
    expected = torch.from_numpy(scipy.stats.t(own, mean, scale).logpdf(z.numpy())).sum(1)
    torch.testing.assert_close(base.log_prob(z), expected, rtol=1e-9, atol=1e-9)


def test_positions_of_images_share_the_parameters() -> None:
    base = moved(4, 3)
    z = torch.randn(3, 4, 2, 5, dtype=torch.float64)
    own, mean, scale = (p.view(4, 1, 1) for p in (base.degrees, base.mean, base.log_scale.exp()))
    expected = torch.distributions.StudentT(own, mean, scale).log_prob(z).sum((1, 2, 3))
    torch.testing.assert_close(base.log_prob(z), expected)
    assert base.sample(3, (4, 2, 5)).shape == (3, 4, 2, 5)


@pytest.mark.parametrize("degrees", [1e4, 1e6, 1e8])
def test_many_degrees_keep_their_digits_in_float32(degrees: float) -> None:
    # The difference of two log-gammas of 1e8 has no digit left in float32.
    base, z = StudentT(1, degrees=degrees), torch.linspace(-3, 3, 50)[:, None]
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    # Student's t differs from the normal by about z^4 / (4 degrees).
    torch.testing.assert_close(base.log_prob(z), expected, rtol=1e-5, atol=25 / degrees + 1e-6)


def test_it_starts_with_location_0_scale_1_and_the_degrees_asked_for() -> None:
    for degrees in (1.5, 5.0, 300.0):
        base = StudentT(2, degrees=degrees)
        torch.testing.assert_close(base.degrees, torch.full((2,), degrees))
        assert not base.mean.any()
        assert not base.log_scale.any()


def test_the_degrees_stay_above_1() -> None:
    base = StudentT(1)
    with torch.no_grad():
        base.raw_degrees.fill_(-100.0)
    assert base.degrees >= 1
    assert base.log_prob(torch.tensor([[3.0]])).isfinite()
    for degrees in (1.0, math.nan):
        with pytest.raises(ValueError, match="StudentT needs more than 1"):
            StudentT(1, degrees=degrees)


def test_samples_of_few_degrees() -> None:
    base = StudentT(1, degrees=1.2).double()
    drawn = base.sample(5000, (1,), generator=torch.Generator().manual_seed(0)).detach()
    assert scipy.stats.kstest(drawn[:, 0].numpy(), scipy.stats.t(1.2).cdf).pvalue > 1e-3


def test_gradients_reach_the_degrees_through_the_samples() -> None:
    # Of the variance v / (v - 2), the derivative is -2 / (v - 2)^2; here over a large sample of many degrees, whose
    # squares have a variance.
    base = StudentT(1, degrees=12.0).double()
    drawn = base.rsample(200000, (1,), generator=torch.Generator().manual_seed(0))
    (grad,) = torch.autograd.grad(drawn.square().mean(), base.raw_degrees)
    # dv/draw of the softplus.
    expected = -2 / 10**2 * torch.sigmoid(base.raw_degrees).item()
    assert abs(grad.item() - expected) < 0.1 * abs(expected)
