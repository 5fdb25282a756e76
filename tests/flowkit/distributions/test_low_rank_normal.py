import pytest
import torch

from flowkit.distributions.low_rank_normal import LowRankNormal
from flowkit.testing.subject import perturb


def moved(channels: int, rank: int, event_dims: int = 1) -> LowRankNormal:
    torch.manual_seed(0)
    base = LowRankNormal(channels, rank, event_dims).double()
    perturb(base, 1.0)
    return base


def reference(base: LowRankNormal) -> torch.distributions.LowRankMultivariateNormal:
    return torch.distributions.LowRankMultivariateNormal(base.mean, base.factor, (2 * base.log_std).exp())


@pytest.mark.parametrize(("channels", "rank"), [(1, 1), (5, 1), (5, 3), (4, 4)])
def test_log_density_of_vectors(channels: int, rank: int) -> None:
    base = moved(channels, rank)
    z = torch.randn(2, 3, channels, dtype=torch.float64)
    torch.testing.assert_close(base.log_prob(z), reference(base).log_prob(z))


def test_positions_of_images_share_the_parameters() -> None:
    base = moved(5, 2, 3)
    z = torch.randn(3, 5, 2, 4, dtype=torch.float64)
    torch.testing.assert_close(base.log_prob(z), reference(base).log_prob(z.movedim(1, -1)).sum((1, 2)))
    drawn = base.sample(2000, (5, 2, 4), generator=torch.Generator().manual_seed(0)).detach().movedim(1, 0).flatten(1)
    covariance = reference(base).covariance_matrix.detach()
    largest = covariance.diagonal().max().item()
    # Five standard errors of 16000 positions.
    assert (drawn.mean(1) - base.mean.detach()).abs().max() < 5 * (largest / 16000) ** 0.5
    assert (drawn.cov() - covariance).abs().max() < 5 * largest * (2 / 16000) ** 0.5


def test_a_strong_factor_keeps_its_digits_in_float32() -> None:
    # Common variance 1e8 times the channels' own: the textbook's difference of two terms would lose all of float32.
    base = LowRankNormal(3, 1)
    with torch.no_grad():
        base.factor.fill_(1e4)
    z = torch.tensor([[1e4, 1e4 + 1, 1e4 - 2]])
    torch.testing.assert_close(base.log_prob(z).double(), base.double().log_prob(z.double()), rtol=1e-5, atol=0)


def test_it_starts_near_the_standard_normal_but_not_stuck() -> None:
    torch.manual_seed(0)
    base = LowRankNormal(6, 2)
    z = torch.randn(4, 6)
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    # The factor's squares: 2e-4 per entry of the covariance.
    torch.testing.assert_close(base.log_prob(z), expected, atol=5e-3, rtol=0)
    base.log_prob(z).sum().backward()
    assert base.factor.grad is not None
    assert (base.factor.grad != 0).all()


@pytest.mark.parametrize("rank", [0, 4])
def test_other_ranks_are_refused(rank: int) -> None:
    with pytest.raises(ValueError, match=f"rank is {rank}; LowRankNormal.3. needs 1 to 3"):
        LowRankNormal(3, rank)
