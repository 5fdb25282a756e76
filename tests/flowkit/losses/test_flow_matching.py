"""Flow matching against the field that it should find, which is known for normal data."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

import flowkit
from flowkit import Chain, FixedAffine, Flow, NeuralODE, StandardNormal
from flowkit.bijectors import RungeKutta4
from flowkit.losses import ExactTransport, SinkhornTransport, Transport, conditional_flow_matching

MEAN, STD, TIME = 1.5, 0.4, 2.0
NUMBER = 100_000


class Best(nn.Module):
    """The mean velocity at a point and a time where data are N(MEAN, STD^2) and latents N(0, 1), moved by an error."""

    def __init__(self, error: float = 0.0) -> None:
        super().__init__()
        self.error = nn.Parameter(torch.tensor(error))

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        t = t / TIME
        variance = (1 - t) ** 2 * STD**2 + t**2
        slope = (t - (1 - t) * STD**2) / variance
        return (-MEAN + slope * (y - (1 - t) * MEAN)) / TIME + self.error


class Straight(nn.Module):
    """The velocity at a point of the way from x to (x - MEAN) / STD."""

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        t = t / TIME
        x = (y + t * MEAN / STD) / (1 - t + t / STD)
        return ((x - MEAN) / STD - x) / TIME


def flow_of(field: nn.Module, steps: int = 40) -> Flow:
    return Flow(NeuralODE(field, time=TIME, solver=RungeKutta4(steps)), StandardNormal(), (2,)).double()


def normal_data(number: int = NUMBER) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return MEAN + STD * torch.randn(number, 2, dtype=torch.float64, generator=generator)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_the_best_field_carries_the_data_to_the_base() -> None:
    x = normal_data(50)
    expected = Independent(Normal(MEAN * torch.ones(2).double(), STD), 1).log_prob(x)
    torch.testing.assert_close(flow_of(Best()).log_prob(x), expected, atol=1e-5, rtol=0)


def test_it_is_the_minimum_of_the_loss() -> None:
    x = normal_data()
    flow = flow_of(Best())
    loss = conditional_flow_matching(flow, x, generator=seeded())
    loss.backward()
    (gradient,) = (parameter.grad for parameter in flow.parameters())
    # Twice the sum of two elements' means of residuals, whose deviations are about 0.5: standard error 0.005.
    assert abs(float(gradient)) < 0.02
    for error in (-0.3, 0.3):
        worse = conditional_flow_matching(flow_of(Best(error)), x, generator=seeded())
        # The residuals' means vanish, so that a constant error adds its square, in each of two elements.
        assert (worse - loss).item() == pytest.approx(2 * error**2, abs=0.02)


@pytest.mark.parametrize("transport", [ExactTransport(), SinkhornTransport()], ids=lambda t: type(t).__name__)
def test_transport_leaves_less_to_average(transport: Transport) -> None:
    x = normal_data(256)
    # The optimal map of normals is monotone and its ways do not cross: of more samples, nothing would be left.
    paired, random = (
        conditional_flow_matching(flow_of(Straight()), x, transport=t, generator=seeded()) for t in (transport, None)
    )
    assert float(paired) < 0.3 * float(random)


def test_latents_change_places_only_with_those_of_the_same_context() -> None:
    seen = []

    class Watched(Transport):
        def __call__(self, x: Tensor, z: Tensor, generator: torch.Generator | None = None) -> Tensor:
            seen.append(x)
            return torch.arange(len(x)).flip(0)

    flow = flowkit.flow_matching(1, hidden=(4,), context_features=1, steps=1).double()
    x = torch.arange(6.0, dtype=torch.float64)[:, None]
    context = torch.tensor([0, 1, 0, 1, 0, 2], dtype=torch.float64)[:, None]
    conditional_flow_matching(flow, x, context, transport=Watched())
    # The class of a single sample has nothing to change places with.
    assert [rows.flatten().tolist() for rows in seen] == [[0, 2, 4], [1, 3]]
    seen.clear()
    conditional_flow_matching(flow, x, context[:1], transport=Watched())
    assert [len(rows) for rows in seen] == [6]
    # As of a network of one's own, which says nothing of its context.
    flow.context_dims = None
    with pytest.raises(ValueError, match="got a tuple: leave transport out"):
        conditional_flow_matching(flow, x, (context,), transport=Watched())


def test_what_stands_before_is_applied_and_not_trained() -> None:
    x = normal_data(1000)
    before = flowkit.Elementwise(flowkit.Affine(), (2,))
    flow = Flow(Chain([FixedAffine(MEAN, STD), before, flow_of(Best()).bijector]), StandardNormal(), (2,)).double()
    loss = conditional_flow_matching(flow, x, generator=seeded())
    expected = conditional_flow_matching(flow_of(Best()), (x - MEAN) / STD, generator=seeded())
    torch.testing.assert_close(loss, expected)
    # A hook keeps a chain within a chain together.
    inner = Chain([before, flow_of(Best()).bijector])
    inner.register_forward_hook(lambda module, given, result: None)
    nested = Flow(Chain([FixedAffine(MEAN, STD), inner]), StandardNormal(), (2,)).double()
    torch.testing.assert_close(conditional_flow_matching(nested, x, generator=seeded()), expected)
    loss.backward()
    assert before.raw is not None
    assert before.raw.grad is None


def test_only_continuous_flows_are_taken() -> None:
    with pytest.raises(ValueError, match=r"a Chain that ends in one, got \w+: take flowkit\.flow_matching"):
        conditional_flow_matching(flowkit.maf(2, layers=1), torch.zeros(3, 2))
    with pytest.raises(ValueError, match=r"n x event, of 1 event dimensions .* got a tensor of shape \(0, 2\)"):
        conditional_flow_matching(flow_of(Best()), normal_data(5)[:0])
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        conditional_flow_matching(flow_of(Best()), normal_data(5)[0])


def test_gaussian_data_gain_what_they_should() -> None:
    """A short training on a standard field: the loss ends near the variance that no field explains."""
    torch.manual_seed(0)
    flow = flowkit.flow_matching(1, hidden=(32, 32), steps=10)
    optimizer = torch.optim.Adam(flow.parameters(), lr=5e-3)
    x = 2 + 0.5 * torch.randn(4000, 1)
    for _ in range(300):
        optimizer.zero_grad()
        conditional_flow_matching(flow, x[torch.randint(len(x), (256,))]).backward()
        optimizer.step()
    with torch.no_grad():
        got = flow.log_prob(x).mean().item()
    assert got > -0.5 * math.log(2 * math.pi * math.e * 0.25) - 0.05
