import math

import pytest
import torch

import flowkit
from flowkit.interop.torch_distributions import FlowDistribution
from flowkit.models.named.cylindrical_nsf import cylindrical_nsf
from tests.flowkit.models.settings import ready

NAMES = ["cylindrical_nsf", "cylindrical_nsf_conditional"]


@pytest.mark.parametrize("name", NAMES)
def test_densities_are_continuous_where_circles_close(name: str) -> None:
    flow = ready(name, deviation=1.0)
    (entries,) = flow.event_shape  # type: ignore[misc]
    generator = torch.Generator().manual_seed(0)
    context = torch.ones(2, dtype=torch.float64) if "conditional" in name else None
    for angle in range(2 if entries == 5 else 1):
        x = 4 * torch.rand(50, entries, dtype=torch.float64, generator=generator) - 2
        below, above = x.clone(), x.clone()
        below[:, angle], above[:, angle] = math.pi - 1e-9, -math.pi + 1e-9
        # Steep splines move the density by some 1e3 times the step; a jump is of order 1.
        torch.testing.assert_close(flow.log_prob(below, context), flow.log_prob(above, context), rtol=0, atol=1e-5)


def test_angles_are_angles_and_numbers_are_free() -> None:
    flow = ready("cylindrical_nsf", deviation=1.0)
    x = torch.tensor([[3.0, -1.0, 50.0, -900.0, 0.0]], dtype=torch.float64)
    assert flow.log_prob(x).isfinite().all()
    x[0, 1] = 4.0
    with pytest.raises(ValueError, match=r"Concatenate takes blocks \(2 of .*; 3 of .*\), got"):
        flow.log_prob(x)
    samples = flow.sample(2000)
    assert samples[:, :2].abs().max() <= math.pi
    assert samples[:, 2:].abs().max() > math.pi
    support = FlowDistribution(flow).support
    assert support.check(samples).all()
    assert not support.check(x)


def test_every_entry_depends_on_every_other() -> None:
    flow = ready("cylindrical_nsf", deviation=1.0)
    torch.manual_seed(0)
    x = torch.randn(5, dtype=torch.float64).clamp(-3, 3)
    hessian = torch.autograd.functional.hessian(flow.log_prob, x)  # type: ignore[arg-type]
    assert bool((hessian.abs() > 1e-9).all())


def test_it_finds_a_direction_on_which_a_speed_depends() -> None:
    torch.manual_seed(0)

    def drawn(number: int) -> torch.Tensor:
        # Around the ends of the interval; the speed, in units of its own, rises with the cosine.
        direction = torch.distributions.VonMises(torch.tensor(3.0), torch.tensor(2.0)).sample((number,))
        return torch.stack([direction, 100 + 20 * direction.cos() + 5 * torch.randn(number)], -1)

    def true_log_prob(x: torch.Tensor) -> torch.Tensor:
        direction, speed = x.unbind(-1)
        of_speed = torch.distributions.Normal(100 + 20 * direction.cos(), 5.0)
        known = torch.distributions.VonMises(torch.tensor(3.0), torch.tensor(2.0))
        return known.log_prob(direction) + of_speed.log_prob(speed)

    data, fresh = drawn(2000), drawn(2000)
    flow = cylindrical_nsf(1, 1, layers=2, hidden=(16,), standardize=data)
    flowkit.fit(flow, data, epochs=40, rate=5e-3, progress=False)
    with torch.no_grad():
        gap = (true_log_prob(fresh) - flow.log_prob(fresh)).mean()
    # A product of the two, without their dependence, is 0.7 nats behind.
    assert -0.02 < gap < 0.12


def test_other_data_to_standardise_by_are_named() -> None:
    with pytest.raises(ValueError, match="batches of 1 angles and 2 real numbers"):
        cylindrical_nsf(1, 2, standardize=torch.rand(5, 2))
    with pytest.raises(ValueError, match="numbers is 0"):
        cylindrical_nsf(1, 0)
