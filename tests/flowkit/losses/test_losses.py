"""Losses against closed forms."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from flowkit import FixedAffine, Flow, Injector, StandardNormal, realnvp
from flowkit.losses import (
    alpha_divergence,
    effective_sample_size,
    forward_kl,
    importance_weighted_bound,
    log_importance_weights,
    reverse_kl,
)

MEAN, STD = torch.tensor([0.5, -1.0]).double(), torch.tensor([0.8, 1.2]).double()
NUMBER = 100_000


def normal(mean: Tensor = MEAN, std: Tensor = STD) -> Flow:
    return Flow(FixedAffine(mean, std), StandardNormal(), (2,)).double()


def standard(x: Tensor) -> Tensor:
    """The standard normal, three times too large: of log-normaliser log 3."""
    return StandardNormal().log_prob(x) + math.log(3)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_forward_kl_is_the_cross_entropy() -> None:
    x = torch.randn(NUMBER, 2, dtype=torch.float64, generator=seeded())
    flow = normal()
    torch.testing.assert_close(forward_kl(flow, x), -Independent(Normal(MEAN, STD), 1).log_prob(x).mean())
    with pytest.raises(ValueError, match="got no data"):
        forward_kl(flow, x[:0])


def test_reverse_kl_is_the_divergence_but_for_the_normaliser() -> None:
    exact = (0.5 * (MEAN.square() + STD.square() - 1) - STD.log()).sum() - math.log(3)
    # Standard errors of about 0.005.
    torch.testing.assert_close(reverse_kl(normal(), standard, NUMBER, generator=seeded()), exact, atol=0.025, rtol=0)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 2.0])
def test_renyi_s_divergence_of_normals(alpha: float) -> None:
    mean, std = torch.tensor([0.3, -0.2]).double(), torch.tensor([0.9, 0.8]).double()
    kullback_leibler = (0.5 * (mean.square() + std.square() - 1) - std.log()).sum()
    exact = kullback_leibler if alpha == 1 else _renyi(alpha, mean, std)
    got = alpha_divergence(normal(mean, std), standard, NUMBER, alpha, generator=seeded())
    torch.testing.assert_close(got, exact - math.log(3), atol=0.02, rtol=0)


def _renyi(alpha: float, mean: Tensor, std: Tensor) -> Tensor:
    """By the integral itself, on a grid, for each of the two elements."""
    x = torch.linspace(-12, 12, 20001, dtype=torch.float64)[:, None]
    log_q, log_p = Normal(mean, std).log_prob(x), Normal(0.0, 1.0).log_prob(x)
    integral = torch.trapezoid((alpha * log_q + (1 - alpha) * log_p).exp(), x, dim=0)
    return (integral.log() / (alpha - 1)).sum()


@pytest.mark.parametrize("alpha", [1 - 1e-6, 1 + 1e-6, 0.5, 2.0])
def test_renyi_s_divergence_from_a_multiple_is_its_logarithm_at_every_order(alpha: float) -> None:
    """All weights are equal: near the order 1 nothing is lost to the division by 0."""
    flow = realnvp(2, layers=1, hidden=(4,))
    divergence = alpha_divergence(flow, lambda x: flow.log_prob(x) - 1.5, 100, alpha)
    assert divergence.item() == pytest.approx(1.5, abs=1e-5)


def test_with_a_context_they_are_the_mean_over_its_rows() -> None:
    # One density for each row: the context is the mean, and so the divergence from a standard normal.
    network = nn.Linear(1, 4).double()
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[-1.0], [0.0], [-1.0], [0.0]]))
        network.bias.zero_()
    flow = Flow(Injector(2, network, event_dims=1), StandardNormal(), (2,), context_dims=1).double()
    rows = torch.tensor([[0.0], [0.5]]).double()
    for alpha in (0.5, 1.0):
        # Of normals that are 0.5 apart in both entries: alpha / 2 times the square of the distance.
        got = alpha_divergence(flow, standard, NUMBER, alpha, rows, generator=seeded())
        torch.testing.assert_close(got.item(), alpha * 0.25 / 2 - math.log(3), atol=0.02, rtol=0)
    bound = importance_weighted_bound(flow, standard, NUMBER // 20, 20, rows, generator=seeded()).item()
    assert math.log(3) - 0.05 < bound < math.log(3) + 0.01


def test_the_bound_rises_with_the_particles_and_stays_below() -> None:
    flow = normal()
    bounds = [importance_weighted_bound(flow, standard, NUMBER // k, k, generator=seeded()).item() for k in (1, 5, 100)]
    assert bounds == sorted(bounds)
    assert bounds[0] == pytest.approx(-reverse_kl(flow, standard, NUMBER, generator=seeded()).item(), abs=0.03)
    assert bounds[-1] < math.log(3) + 0.01
    assert bounds[-1] > math.log(3) - 0.05


def test_the_size_of_weighted_samples() -> None:
    assert effective_sample_size(torch.zeros(7) + 300.0).item() == pytest.approx(7)
    assert effective_sample_size(torch.tensor([0.0, -1e4, -1e4])).item() == pytest.approx(1)
    weights = torch.rand(50, 3, dtype=torch.float64, generator=seeded())
    expected = weights.sum(0).square() / weights.square().sum(0)
    torch.testing.assert_close(effective_sample_size(weights.log()), expected)
    with pytest.raises(ValueError, match="none is there"):
        effective_sample_size(torch.zeros(0))


def test_weights_of_the_density_itself_are_equal() -> None:
    _, log_weights = log_importance_weights(normal(0 * MEAN, 0 * STD + 1), standard, 100)
    torch.testing.assert_close(log_weights, torch.full((100,), math.log(3), dtype=torch.float64))


def test_what_is_no_estimate_is_refused() -> None:
    with pytest.raises(ValueError, match="alpha is -1"):
        alpha_divergence(normal(), standard, 3, -1.0)
    with pytest.raises(ValueError, match="samples is 0"):
        alpha_divergence(normal(), standard, 0, 2.0)
    with pytest.raises(ValueError, match="both must be at least 1"):
        importance_weighted_bound(normal(), standard, 1, 0)
