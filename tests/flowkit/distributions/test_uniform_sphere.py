import math

import pytest
import torch

from flowkit import Flow
from flowkit.bijectors import Moebius
from flowkit.distributions import UniformSphere, UniformTorus
from flowkit.interop.torch_distributions import BaseDistribution


@pytest.mark.parametrize(("entries", "area"), [(2, 2 * math.pi), (3, 4 * math.pi), (4, 2 * math.pi**2)])
def test_the_area_is_the_sphere_s(entries: int, area: float) -> None:
    log_prob = UniformSphere().log_prob(torch.eye(entries, dtype=torch.float64))
    torch.testing.assert_close(log_prob, torch.full((entries,), -math.log(area), dtype=torch.float64))


def test_directions_are_uniform() -> None:
    x = UniformSphere().sample(20_000, (3,), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(x.norm(dim=-1), torch.ones(20_000))
    # Of mean 0 and covariance 1/3, with standard errors of 0.004.
    assert x.mean(0).abs().max() < 0.02
    torch.testing.assert_close(x.T.cov(), torch.eye(3) / 3, rtol=0, atol=0.02)


@pytest.mark.parametrize("base", [UniformSphere(), UniformTorus()], ids=lambda base: type(base).__name__)
def test_there_is_no_other_temperature(base: UniformSphere | UniformTorus) -> None:
    with pytest.raises(ValueError, match=r"temperature is 0.5; .* has no mean to deviate from"):
        base.sample(1, (3,), temperature=0.5)
    assert BaseDistribution(base, (3,)).support.check(base.sample(7, (3,))).all()


def test_angles_are_uniform_and_go_where_the_flow_went() -> None:
    base = UniformTorus().double()
    x = base.sample(20_000, (2,), generator=torch.Generator().manual_seed(0))
    assert x.dtype == torch.float64
    assert x.abs().max() <= math.pi
    assert torch.stack([x.cos(), x.sin()]).mean(1).abs().max() < 0.02
    torch.testing.assert_close(base.log_prob(x[0]), torch.tensor(-2 * math.log(2 * math.pi), dtype=torch.float64))


def test_a_flow_on_a_sphere_samples_with_gradients() -> None:
    flow = Flow(Moebius(3), UniformSphere(), (3,))
    flow.rsample(5).sum().backward()
    assert all(parameter.grad is not None for parameter in flow.parameters())
