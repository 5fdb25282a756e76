import math

import pytest
import torch

from flowkit.bijectors import Coupling, Elementwise, Injector
from flowkit.models.named.ncsf import ncsf
from tests.flowkit.models.settings import ready


@pytest.mark.parametrize("name", ["ncsf", "ncsf_of_a_circle"])
def test_densities_and_their_slopes_are_continuous_where_circles_close(name: str) -> None:
    flow = ready(name, deviation=1.0)
    features = flow.event_shape[0]  # type: ignore[index]
    generator = torch.Generator().manual_seed(0)
    for angle in range(features):
        x = 4 * torch.rand(50, features, dtype=torch.float64, generator=generator) - 2
        below, above = x.clone(), x.clone()
        below[:, angle], above[:, angle] = math.pi - 1e-9, -math.pi + 1e-9
        # Steep splines move the density by some 1e3 times the step; a jump is of order 1.
        torch.testing.assert_close(flow.log_prob(below), flow.log_prob(above), rtol=0, atol=1e-5)


@pytest.mark.parametrize("end", [-math.pi, math.pi])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_both_ends_are_taken(end: float, dtype: torch.dtype) -> None:
    flow = ready("ncsf", deviation=1.0).to(dtype)
    x = torch.full((3, 3), end, dtype=dtype)
    assert flow.log_prob(x).isfinite().all()
    z, _ = flow.bijector(x)
    assert flow.base.log_prob(z).isfinite().all()
    back, _ = flow.bijector.inverse(z)
    # The two ends are one place.
    assert (torch.remainder(back - x + 1, 2 * math.pi) - 1).abs().max() < 1e-4


def test_angles_in_float64_may_have_been_float32() -> None:
    # Whose pi is larger than that of float64.
    angle = torch.atan2(torch.tensor(0.0), torch.tensor(-1.0)).double().expand(1, 2)
    flow = ncsf(2).double()
    torch.testing.assert_close(flow.log_prob(angle), flow.log_prob(-angle))


def test_angles_of_another_turn_are_refused() -> None:
    with pytest.raises(ValueError, match=r"takes values in the open interval \(-3.14159, 3.14159\), got 4"):
        ncsf(2).log_prob(torch.tensor([[0.0, 4.0]]))


def test_samples_are_angles() -> None:
    flow = ready("ncsf", deviation=1.0)
    assert flow.sample(2000).abs().max() <= math.pi


def test_the_layers_of_one_angle() -> None:
    assert all(isinstance(part, Elementwise) for part in ncsf(1).bijector)  # type: ignore[attr-defined]
    assert all(isinstance(part, Injector) for part in ncsf(1, context_features=2).bijector)  # type: ignore[attr-defined]
    assert all(isinstance(part, Coupling) for part in ncsf(2).bijector)  # type: ignore[attr-defined]


def test_it_finds_a_von_mises_density() -> None:
    torch.manual_seed(0)
    # Its peak lies across the ends of the interval.
    known = torch.distributions.VonMises(torch.tensor(3.0), torch.tensor(4.0))
    data = known.sample((1000, 1))
    flow = ncsf(1, layers=1)
    optimizer = torch.optim.Adam(flow.parameters(), lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        (-flow.log_prob(data).mean()).backward()
        optimizer.step()
    fresh = known.sample((1000, 1))
    gap = (known.log_prob(fresh)[:, 0] - flow.log_prob(fresh)).mean()
    # The uniform distribution is 1.1 nats behind.
    assert -0.02 < gap < 0.1
