import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from flowkit import (
    Bijector,
    Chain,
    ContextMap,
    ConvConditioner,
    Coupling,
    FactorOut,
    Injector,
    MultiScale,
    Squeeze,
    UniformDequantization,
    ZeroConv2d,
    initialize,
)
from flowkit.testing.subject import perturb
from flowkit.variational_dequantization import VariationalDequantization

D = torch.float64


class Identity(Bijector[Tensor, Tensor]):
    """Leaves the noise as it is: u has a standard normal logit."""

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return x, x.new_zeros(x.shape[:-1])

    _inverse = _forward


def injector(channels: int) -> VariationalDequantization:
    torch.manual_seed(0)
    dequantize = VariationalDequantization(Injector(channels, nn.Linear(channels, 2 * channels), event_dims=1), 4)
    perturb(dequantize, 0.5)
    return dequantize.double()


def images() -> VariationalDequantization:
    """The paper's: a flow over images, given the image's features, whose encoder trains with it."""
    torch.manual_seed(0)
    parts = [Squeeze(), Coupling(12, ConvConditioner(6, 12, 8, context_channels=8))]
    encoder = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU())
    flow = ContextMap(Chain(parts), encoder)
    dequantize = VariationalDequantization(flow, bins=32)
    x = torch.rand(4, 3, 6, 4)
    initialize(flow, x, x)
    perturb(dequantize, 0.2)
    return dequantize.double()


@pytest.mark.parametrize("bins", [1, 32])
def test_noise_stays_within_one_step_around_the_value(bins: int) -> None:
    x = torch.rand(20000, 1, dtype=D)
    v, _ = VariationalDequantization(Identity(), bins)(x, torch.Generator().manual_seed(0))
    steps = (v - x) * bins + 0.5
    assert steps.min() > 0
    assert steps.max() < 1
    # The logit of u is standard normal; five standard errors.
    logits = torch.logit(steps)
    assert abs(logits.mean()) < 5 / math.sqrt(20000)
    assert abs(logits.var() - 1) < 5 * math.sqrt(2 / 20000)


def test_the_density_of_a_logistic_normal() -> None:
    x = torch.rand(50, 3, dtype=D)
    v, log_q = VariationalDequantization(Identity(), 16)(x)
    u = (v - x) * 16 + 0.5
    logit_normal = torch.distributions.TransformedDistribution(
        torch.distributions.Normal(torch.zeros((), dtype=D), torch.ones((), dtype=D)),
        [torch.distributions.SigmoidTransform()],
    )
    torch.testing.assert_close(log_q, logit_normal.log_prob(u).sum(1) + 3 * math.log(16))


def test_the_density_integrates_to_one_over_the_step() -> None:
    # E[1 / q(v|x)] under q is the volume of the step, 1 / bins, if and only if q is the density of v.
    dequantize = injector(1)
    x = torch.full((200000, 1), 0.25, dtype=D)
    v, log_q = dequantize(x, torch.Generator().manual_seed(0))
    order = v[:, 0].argsort()
    places, density = v[order, 0].detach(), log_q[order].exp().detach()
    # By the trapezium rule over the places that were drawn.
    assert torch.trapezoid(density, places).item() == pytest.approx(1.0, abs=2e-3)
    # And its integral up to a place is the share of the samples below it.
    share = torch.cumulative_trapezoid(density, places)[100000].item()
    assert share == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(200000) + 2e-3)


def test_the_noise_depends_on_the_value() -> None:
    dequantize = injector(2)
    low, high = (dequantize(torch.full((1, 2), x, dtype=D), torch.Generator().manual_seed(0)) for x in (0.0, 0.75))
    assert (low[0] - (high[0] - 0.75)).abs().max() > 1e-3
    assert low[1] != high[1]


def test_the_density_of_images_by_the_jacobian() -> None:
    dequantize = images()
    x = torch.rand(1, 3, 6, 4, dtype=D)
    v, log_q = dequantize(x, torch.Generator().manual_seed(0))
    noise = torch.randn((1, 12, 3, 2), dtype=D, generator=torch.Generator().manual_seed(0))

    def to_values(noise: Tensor) -> Tensor:
        return (x + (dequantize.bijector.inverse(noise, x)[0].sigmoid() - 0.5) / 32).flatten()

    torch.testing.assert_close(to_values(noise), v.flatten())
    jacobian = torch.func.jacrev(to_values)(noise).reshape(72, 72)
    normal = torch.distributions.Normal(0.0, 1.0).log_prob(noise).sum()
    torch.testing.assert_close(log_q, (normal - torch.linalg.slogdet(jacobian)[1]).reshape(1))


def test_a_multi_scale_flow_takes_noise_for_each_level() -> None:
    torch.manual_seed(0)
    flow = MultiScale([Squeeze(), Squeeze()], [FactorOut(12, ZeroConv2d(6, 12))])
    x = torch.rand(2, 3, 8, 4)
    v, log_q = VariationalDequantization(flow)(x)
    assert v.shape == x.shape
    assert log_q.shape == (2,)


@pytest.mark.parametrize("batch", [(), (1,), (2, 3)])
def test_any_batch_shape(batch: tuple[int, ...]) -> None:
    v, log_q = injector(2)(torch.rand(*batch, 2, dtype=D))
    assert v.shape == (*batch, 2)
    assert log_q.shape == batch
    assert v.dtype == log_q.dtype == D


def test_half_precision_comes_back_and_is_scored_in_float32() -> None:
    v, log_q = injector(2).float()(torch.rand(3, 2).bfloat16())
    assert v.dtype == torch.bfloat16
    assert log_q.dtype == torch.float32


def test_extreme_logits_stay_finite() -> None:
    dequantize = injector(2).float()
    with torch.no_grad():
        for parameter in dequantize.parameters():
            parameter.mul_(1e3)
    v, log_q = dequantize(torch.rand(100, 2))
    assert v.isfinite().all()
    assert log_q.isfinite().all()


def test_a_generator_makes_it_repeatable() -> None:
    x, dequantize = torch.rand(2, 3, dtype=D), injector(3)
    state = torch.get_rng_state()
    first = dequantize(x, torch.Generator().manual_seed(0))[0]
    assert torch.equal(dequantize(x, torch.Generator().manual_seed(0))[0], first)
    assert not torch.equal(dequantize(x, torch.Generator().manual_seed(1))[0], first)
    assert torch.equal(torch.get_rng_state(), state)


def test_training_tightens_the_bound() -> None:
    # Data of two levels, 0.25 and 0.75, and a density that is no flow's: rising over each step. Its log-probability is
    # the integral over the step, and each bound lies below.
    torch.manual_seed(0)

    def log_p(v: Tensor) -> Tensor:
        u = ((v * 2) % 1).clamp(1e-6, 1 - 1e-6)
        return (2 * u).log().sum(1)

    dequantize = VariationalDequantization(Injector(1, nn.Linear(1, 2), event_dims=1), bins=2)
    x = torch.tensor([[0.25], [0.75]]).repeat(2000, 1)
    exact = math.log(0.5)

    def bound(dequantization: nn.Module) -> Tensor:
        v, log_q = dequantization(x, torch.Generator().manual_seed(0))
        return (log_p(v) - log_q).mean()

    uniform = bound(UniformDequantization(2, event_dims=1)).item()
    start = bound(dequantize).item()
    optimizer = torch.optim.Adam(dequantize.parameters(), lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        (-bound(dequantize)).backward()
        optimizer.step()
    trained = bound(dequantize).item()
    assert start < exact
    assert trained > uniform + 0.1
    # A bound: within the error of 4000 samples.
    assert trained < exact + 0.02


def test_gradients_reach_the_flow_and_its_encoder() -> None:
    dequantize = images()
    v, log_q = dequantize(torch.rand(2, 3, 6, 4, dtype=D))
    (v.square().sum() + log_q.sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in dequantize.parameters())


@pytest.mark.parametrize("bins", [0, -1])
def test_too_few_levels_are_refused(bins: int) -> None:
    with pytest.raises(ValueError, match=f"bins is {bins}"):
        VariationalDequantization(Identity(), bins)
