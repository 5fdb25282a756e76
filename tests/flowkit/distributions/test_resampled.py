import math

import pytest
import scipy.stats
import torch
from torch import Tensor, nn

from flowkit.distributions.diagonal_normal import DiagonalNormal
from flowkit.distributions.resampled import Resampled
from flowkit.distributions.standard_normal import StandardNormal


class Step(nn.Module):
    """Accepts 0.9 of the positive proposals, and 0.1 of the negative ones: Z = 0.5 for a symmetric base."""

    def forward(self, z: Tensor) -> Tensor:
        probability = torch.where(z[:, 0] > 0, 0.9, 0.1).to(z.dtype)
        return torch.logit(probability)


def network(channels: int) -> nn.Module:
    return nn.Sequential(nn.Linear(channels, 8), nn.Tanh(), nn.Linear(8, 1))


def step(truncation: int = 100) -> Resampled:
    base = Resampled(StandardNormal(), Step(), truncation).double().eval()
    base.normaliser.fill_(0.5)
    return base


@pytest.mark.parametrize("truncation", [2, 3, 50])
def test_the_density_is_the_paper_s(truncation: int) -> None:
    base, z = step(truncation), torch.tensor([[1.5], [-0.3]], dtype=torch.float64)
    alpha = 0.5 ** (truncation - 1)
    factors = torch.tensor([(1 - alpha) * 0.9 / 0.5 + alpha, (1 - alpha) * 0.1 / 0.5 + alpha], dtype=torch.float64)
    expected = StandardNormal().log_prob(z) + factors.log()
    torch.testing.assert_close(base.log_prob(z), expected)


@pytest.mark.parametrize("truncation", [2, 4, 100])
def test_samples_follow_the_truncated_density(truncation: int) -> None:
    base = step(truncation)
    alpha = 0.5 ** (truncation - 1)
    positive = 0.5 * ((1 - alpha) * 0.9 / 0.5 + alpha)
    drawn = base.sample(20000, (1,), generator=torch.Generator().manual_seed(0))
    share = (drawn > 0).double().mean().item()
    # Five standard errors.
    assert abs(share - positive) < 5 * math.sqrt(positive * (1 - positive) / 20000)
    # Within each half, the base's own shape.
    assert scipy.stats.kstest(drawn[drawn > 0].numpy(), scipy.stats.halfnorm.cdf).pvalue > 1e-3


def test_the_estimate_and_its_error() -> None:
    base = step()
    value, error = base.estimate_normaliser((1,), 10000, torch.Generator().manual_seed(0))
    assert torch.equal(base.normaliser, value)
    # a is 0.9 or 0.1: its deviation is 0.4.
    assert error.item() == pytest.approx(0.4 / 100, rel=1e-3)
    assert abs(value - 0.5) < 5 * error
    values = [base.estimate_normaliser((1,), 500, torch.Generator().manual_seed(s)).value.item() for s in range(200)]
    # The deviation of a deviation of 200 values is a twentieth: five times that.
    assert torch.tensor(values).std().item() == pytest.approx(0.4 / 500**0.5, rel=0.25)


def test_evaluation_is_deterministic_and_changes_nothing() -> None:
    torch.manual_seed(0)
    base = Resampled(DiagonalNormal(2), network(2))
    base.estimate_normaliser((2,), 1000)
    base.eval()
    before = {name: value.clone() for name, value in base.state_dict().items()}
    state, z = torch.get_rng_state(), torch.randn(5, 2)
    state = torch.get_rng_state()
    assert torch.equal(base.log_prob(z), base.log_prob(z))
    assert torch.equal(torch.get_rng_state(), state)
    base.sample(5, (2,))
    assert all(torch.equal(value, before[name]) for name, value in base.state_dict().items())


def test_training_keeps_a_running_mean() -> None:
    torch.manual_seed(0)
    base = Resampled(StandardNormal(), Step(), samples=100, momentum=0.1).double()
    z = torch.randn(3, 1, dtype=torch.float64)
    base.log_prob(z)
    first = base.normaliser.clone()
    # One estimate of 100 samples: five standard errors.
    assert abs(first - 0.5) < 5 * 0.4 / 10
    for _ in range(300):
        base.log_prob(z)
    # The running mean's deviation is sqrt(0.1 / 1.9) of a single one's.
    assert abs(base.normaliser - 0.5) < 5 * 0.4 / 10 * math.sqrt(0.1 / 1.9)
    assert not base.normaliser.requires_grad


def test_gradients_flow_through_the_normaliser() -> None:
    # The mean of the score under one's own density is zero: only with the normaliser's gradient.
    torch.manual_seed(0)
    base = Resampled(DiagonalNormal(1), network(1), truncation=3, samples=100000).double()
    base.estimate_normaliser((1,), 100000)
    edges = torch.linspace(-8, 8, 2001, dtype=torch.float64)[:, None]
    density = base.eval().log_prob(edges).exp().detach() * 0.008
    # The normaliser's gradient is not in the evaluation's density: there, the score of a(z) alone is left.
    scores = [
        torch.autograd.grad((density * mode.log_prob(edges)).sum(), list(base.parameters())) for mode in (base.eval(),)
    ]
    base.train()
    trained = torch.autograd.grad((density * base.log_prob(edges)).sum(), list(base.parameters()))
    largest = max(grad.abs().max().item() for grad in scores[0])
    assert largest > 0.05
    # An estimate of 100000 samples.
    assert max(grad.abs().max().item() for grad in trained) < 0.1 * largest


def test_training_fits_what_the_base_cannot() -> None:
    torch.manual_seed(0)
    base = Resampled(StandardNormal(), network(1), samples=512)
    z = torch.randn(400, 1).sign() * (1 + 0.2 * torch.randn(400, 1))
    optimizer = torch.optim.Adam(base.parameters(), lr=0.05)
    plain = StandardNormal().log_prob(z).mean().item()
    for _ in range(150):
        optimizer.zero_grad()
        (-base.log_prob(z).mean()).backward()
        optimizer.step()
    base.eval()
    # Two bumps of deviation 0.2 in a normal's place.
    assert base.log_prob(z).mean().item() > plain + 0.2
    running = base.normaliser.item()
    value, _ = base.estimate_normaliser((1,), 20000)
    # The running mean lags little behind.
    assert running == pytest.approx(value.item(), rel=0.1)


def test_images_and_more_batch_dimensions() -> None:
    acceptance = nn.Sequential(nn.Flatten(), nn.Linear(12, 1))
    base = Resampled(StandardNormal(event_dims=3), acceptance)
    base.estimate_normaliser((3, 2, 2), 100)
    assert base.eval().log_prob(torch.randn(4, 5, 3, 2, 2)).shape == (4, 5)
    assert base.train().log_prob(torch.randn(3, 2, 2)).shape == ()
    assert base.sample(6, (3, 2, 2)).shape == (6, 3, 2, 2)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_extreme_normalisers_stay_finite(value: float) -> None:
    base, z = step(), torch.randn(3, 1, dtype=torch.float64)
    base.normaliser.fill_(value)
    assert base.log_prob(z).isfinite().all()


def test_invalid_arguments_are_refused() -> None:
    for settings, message in (
        ({"truncation": 1}, "truncation is 1; at least 2"),
        ({"samples": 0}, "samples is 0"),
        ({"momentum": 0.0}, r"momentum is 0\.0"),
    ):
        with pytest.raises(ValueError, match=message):
            Resampled(StandardNormal(), Step(), **settings)  # type: ignore[arg-type]
    base = Resampled(StandardNormal(), nn.Linear(1, 2))
    with pytest.raises(ValueError, match=r"the acceptance gave a tensor of shape \(3, 2\) for 3 samples"):
        base.log_prob(torch.zeros(3, 1))
    with pytest.raises(ValueError, match="samples of temperature 1 only"):
        base.sample(3, (1,), temperature=0.5)
    with pytest.raises(ValueError, match="samples is 1"):
        base.estimate_normaliser((1,), 1)
    with pytest.raises(RuntimeError, match=r"never estimated: train it, or call estimate_normaliser"):
        Resampled(StandardNormal(), Step()).eval().log_prob(torch.zeros(3, 1))
