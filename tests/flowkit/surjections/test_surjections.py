"""Surjections: densities that integrate to one, samples that have them, contributions of opposite signs."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import HalfNormal

from flowkit import (
    ClassConditional,
    ConditionalNormal,
    Elementwise,
    Gaussian,
    Log,
    ScaleShift,
    StandardNormal,
    TorchDistribution,
    fit,
    realnvp,
)
from flowkit.losses import forward_kl
from flowkit.surjections import AbsoluteValue, Augment, Maximum, Slice, StochasticFlow, StochasticMap

DTYPE = torch.float64


def linear(features: int, outputs: int) -> nn.Linear:
    torch.manual_seed(3)
    return nn.Linear(features, outputs).double()


def scaled(features: int) -> Elementwise:
    layer = Elementwise(ScaleShift(), (features,)).double()
    layer.raw.data[:] = torch.tensor([0.3, 0.7])  # type: ignore[union-attr]
    return layer


def folded(network: nn.Module | None = None) -> StochasticFlow:
    """Log-normal sizes, with signs."""
    return StochasticFlow([AbsoluteValue(2, network), Elementwise(Log()), scaled(2)], StandardNormal(), (2,))


FLOWS: dict[str, Callable[[], StochasticFlow]] = {
    "equal signs": folded,
    "signs by a network": lambda: folded(linear(2, 2)),
    "maximum": lambda: StochasticFlow([Maximum(2).double(), scaled(1)], StandardNormal(), (2,)),
    "slice": lambda: StochasticFlow([Slice(2, 1, ConditionalNormal(linear(1, 2)))], StandardNormal(), (2,)),
}
every = pytest.mark.parametrize("name", FLOWS)


def grid(points: int = 401, end: float = 9.0) -> tuple[Tensor, float]:
    # No point is at 0, where the absolute value has its fold.
    axis = torch.linspace(-end, end, points, dtype=DTYPE) + 1e-3
    return torch.cartesian_prod(axis, axis), (2 * end / (points - 1)) ** 2


def test_it_is_fitted_and_takes_labels_as_a_flow_does() -> None:
    base = ClassConditional([Gaussian(2, event_dims=1) for _ in range(3)])
    flow = StochasticFlow([AbsoluteValue(2), Elementwise(Log())], base, (2,))
    x, label = torch.randn(60, 2).exp(), torch.arange(60) % 3
    before = forward_kl(flow, x, label=label).item()
    fit(flow, x, label=label, epochs=3, rate=0.1, progress=False)
    assert forward_kl(flow, x, label=label).item() < before
    assert flow.sample(60, label=label).shape == (60, 2)


@every
def test_densities_integrate_to_one(name: str) -> None:
    flow = FLOWS[name]().double()
    assert flow.is_exact
    points, cell = grid()
    # A jump, as where the maximum changes, costs about a cell's width of 0.045 times the density there.
    with torch.no_grad():
        total = float(flow.log_prob(points).exp().sum() * cell)
    assert total == pytest.approx(1, abs=0.02)


@every
def test_samples_have_the_density(name: str) -> None:
    flow = FLOWS[name]().double()
    torch.manual_seed(0)
    samples = flow.sample(20_000)
    points, cell = grid()
    with torch.no_grad():
        density = (flow.log_prob(points).exp() * cell).unsqueeze(-1)
    # The standard error of a mean of 20000 is 0.007 times a deviation of up to 2, and of squares some times that.
    torch.testing.assert_close(samples.mean(0), (density * points).sum(0), rtol=0, atol=0.06)
    torch.testing.assert_close(samples.square().mean(0), (density * points.square()).sum(0), rtol=0.06, atol=0.05)
    positive = (samples > 0).double().mean(0)
    torch.testing.assert_close(positive, (density * (points > 0)).sum(0), rtol=0, atol=0.03)


MAPS: dict[str, tuple[Callable[[], StochasticMap], int]] = {
    "absolute value": (lambda: AbsoluteValue(4, linear(4, 4)), 4),
    "maximum": (lambda: Maximum(3).double(), 6),
    "slice": (lambda: Slice(4, 3, ConditionalNormal(linear(3, 2))), 4),
}


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("batch", [(), (5,), (2, 3)])
def test_what_is_generated_leads_back_and_contributes_the_opposite(name: str, batch: tuple[int, ...]) -> None:
    make, features = MAPS[name]
    layer = make()
    z, contribution = layer(torch.randn(*batch, features, dtype=DTYPE))
    assert z.shape == (*batch, *layer.output_shape((features,)))
    assert contribution.shape == batch
    x, minus = layer.inverse(z)
    assert x.shape == (*batch, features)
    again, contribution = layer(x)
    torch.testing.assert_close(again, z)
    torch.testing.assert_close(contribution, -minus)


def test_an_augmentation_is_dropped_again_and_its_bound_is_below() -> None:
    torch.manual_seed(0)
    noise = ConditionalNormal(linear(2, 6))
    layer = Augment(2, 3, noise)
    x = torch.randn(5, 2, dtype=DTYPE)
    z, contribution = layer(x)
    back, minus = layer.inverse(z)
    assert torch.equal(back, x)
    torch.testing.assert_close(contribution, -minus)
    # The base is independent of the noise, whose best distribution is then the standard normal.
    flow = StochasticFlow([layer], StandardNormal(), (2,))
    assert not flow.is_exact
    exact = StandardNormal().log_prob(x)
    one, many = (flow.log_prob(x.expand(200, 5, 2), draws=draws).mean(0) for draws in (1, 50))
    assert (one < exact).all()
    assert ((many - exact).abs() < (one - exact).abs()).all()


def test_gradients_reach_the_noise_and_the_base() -> None:
    noise = ConditionalNormal(linear(2, 2))
    flow = StochasticFlow([Augment(2, 1, noise)], Gaussian(3, event_dims=1).double(), (2,))
    flow.log_prob(torch.randn(7, 2, dtype=DTYPE)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in flow.parameters())


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="size is 1"):
        Maximum(1)
    with pytest.raises(ValueError, match="multiple of 3 entries, got 4"):
        Maximum(3)(torch.rand(2, 4))
    with pytest.raises(ValueError, match="kept is 3; of 3 features, 1 to 2"):
        Slice(3, 3, StandardNormal())
    with pytest.raises(ValueError, match="extra is 0"):
        Augment(2, 0, StandardNormal())
    with pytest.raises(ValueError, match="AbsoluteValue"):
        AbsoluteValue(3)(torch.rand(2, 4))
    # Onto positive numbers, before a base on them.
    halves = TorchDistribution(HalfNormal, scale=torch.ones(1, dtype=DTYPE))
    grid = torch.linspace(-9, 9, 4001, dtype=DTYPE).unsqueeze(-1)
    density = StochasticFlow([AbsoluteValue(1)], halves, (1,)).log_prob(grid).exp()
    assert density.mean().item() * 18 == pytest.approx(1, abs=1e-3)
    with pytest.raises(TypeError, match="takes bijectors and stochastic maps, got a Linear"):
        StochasticFlow([nn.Linear(2, 2)], StandardNormal(), (2,))  # type: ignore[list-item]
    with pytest.raises(ValueError, match="at least one layer"):
        StochasticFlow([], StandardNormal(), (2,))
    with pytest.raises(ValueError, match="draws is 0"):
        FLOWS["slice"]().log_prob(torch.rand(2, 2, dtype=DTYPE), draws=0)


def test_samples_of_a_shape_are_drawn_for_each_row_of_a_context_and_data_broadcast_with_contexts() -> None:
    torch.manual_seed(0)
    given = realnvp(3, layers=2, hidden=(16,), context_features=2).bijector
    for parameter in given.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    flow = StochasticFlow(
        [given, Slice(3, 2, StandardNormal(event_dims=1))], StandardNormal(event_dims=1), (3,)
    ).double()
    rows = torch.randn(4, 2, dtype=torch.float64)
    x = flow.sample((100,), context=rows)
    assert x.shape == (100, 4, 3)
    each = torch.stack([flow.log_prob(x[:, row], rows[row].expand(100, 2)) for row in range(4)], 1)
    torch.testing.assert_close(flow.log_prob(x, rows), each)
    torch.testing.assert_close(flow.log_prob(x[0, 0], rows), torch.stack([flow.log_prob(x[0, 0], row) for row in rows]))
    with pytest.raises(ValueError, match="3 samples, 4 rows of context"):
        flow.sample(3, context=rows)


def test_a_shape_of_samples_needs_no_context() -> None:
    flow = StochasticFlow([AbsoluteValue(2), Elementwise(Log())], StandardNormal(event_dims=1), (2,))
    assert flow.sample((3, 4)).shape == (3, 4, 2)
    assert flow.sample_and_log_path((3, 4))[1].shape == (3, 4)
    assert flow.sample(()).shape == (2,)
