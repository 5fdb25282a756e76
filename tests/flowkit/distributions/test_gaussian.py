import math

import pytest
import torch
from torch import Tensor

from flowkit import Gaussian
from flowkit.distributions import gaussian_log_prob


def gaussian(channels: int, event_dims: int = 3) -> Gaussian:
    torch.manual_seed(0)
    base = Gaussian(channels, event_dims).double()
    with torch.no_grad():
        for parameter in base.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return base


def reference(base: Gaussian) -> torch.distributions.MultivariateNormal:
    return torch.distributions.MultivariateNormal(base.mean, covariance_matrix=base.cholesky @ base.cholesky.T)


def test_log_density_is_the_sum_over_positions() -> None:
    base = gaussian(4)
    z = torch.randn(3, 4, 2, 5, dtype=torch.float64)
    expected = reference(base).log_prob(z.permute(0, 2, 3, 1)).sum((1, 2))
    torch.testing.assert_close(base.log_prob(z), expected)


def test_log_density_of_vectors_and_of_several_batch_dimensions() -> None:
    base = gaussian(4, event_dims=1)
    z = torch.randn(2, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(base.log_prob(z), reference(base).log_prob(z))
    image = gaussian(4)
    z = torch.randn(2, 3, 4, 1, 5, dtype=torch.float64)
    torch.testing.assert_close(image.log_prob(z).flatten(), image.log_prob(z.flatten(0, 1)))


def test_a_mean_of_each_sample() -> None:
    base = gaussian(4)
    z, mean = torch.randn(3, 4, 2, 5, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    got = gaussian_log_prob(z, mean, base.cholesky)
    centred = gaussian_log_prob(z - mean[..., None, None], torch.zeros(4).double(), base.cholesky)
    torch.testing.assert_close(got, centred)


def test_it_starts_as_the_standard_normal() -> None:
    z = torch.randn(3, 4, 2, 5)
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum((1, 2, 3))
    torch.testing.assert_close(Gaussian(4).log_prob(z), expected)


def test_only_the_strict_lower_triangle_counts() -> None:
    base = gaussian(4)
    before = base.cholesky.clone()
    with torch.no_grad():
        base.lower.add_(torch.ones(4, 4).double().triu())
    assert torch.equal(base.cholesky, before)
    assert torch.equal(before, before.tril())
    assert (before.diagonal() > 0).all()


def draw(base: Gaussian, temperature: float = 1.0, seed: int = 0) -> Tensor:
    with torch.no_grad():
        return base.sample(400, (4, 10, 10), None, temperature, torch.Generator().manual_seed(seed))


def test_samples_have_mean_and_covariance() -> None:
    base = gaussian(4)
    z = draw(base).movedim(1, 0).flatten(1)
    covariance = (base.cholesky @ base.cholesky.T).detach()
    # Five standard errors of 40000 positions, of the largest variance.
    largest = covariance.diagonal().max().item()
    assert (z.mean(1) - base.mean).abs().max() < 5 * math.sqrt(largest / 40000)
    assert (z.cov() - covariance).abs().max() < 5 * largest * math.sqrt(2 / 40000)


def test_positions_and_samples_are_independent() -> None:
    z = draw(gaussian(4))
    for a, b in ((z[:, 0, 0, 0], z[:, 0, 0, 1]), (z[:-1, 0, 0, 0], z[1:, 0, 0, 0])):
        # Five standard errors of a correlation of 400 pairs.
        assert torch.corrcoef(torch.stack([a, b]))[0, 1].abs() < 5 / 20


def test_temperature_scales_the_deviation_from_the_mean() -> None:
    base = gaussian(4)
    mean = base.mean.detach()[:, None, None]
    torch.testing.assert_close(draw(base, 0.5) - mean, 0.5 * (draw(base) - mean))
    torch.testing.assert_close(draw(base, 0.0), mean.expand(400, 4, 10, 10))


def test_a_generator_makes_samples_repeatable() -> None:
    base = gaussian(4)
    state = torch.get_rng_state()
    assert torch.equal(draw(base), draw(base))
    assert not torch.equal(draw(base), draw(base, seed=1))
    assert torch.equal(torch.get_rng_state(), state)


def test_vectors_are_sampled_too() -> None:
    z = gaussian(4, event_dims=1).sample(5, (4,))
    assert z.shape == (5, 4)
    assert z.dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_scored_in_float32(dtype: torch.dtype) -> None:
    base = gaussian(4).float()
    z = torch.randn(3, 4, 2, 5).to(dtype)
    scored = base.log_prob(z)
    assert scored.dtype == torch.float32
    torch.testing.assert_close(scored, base.log_prob(z.float()))


def test_densities_and_samples_stay_out_of_autocast() -> None:
    base = gaussian(4).float()
    z, plain = torch.randn(3, 4, 2, 5), draw(base)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scored, sampled = base.log_prob(z), draw(base)
    assert torch.equal(scored, base.log_prob(z))
    assert torch.equal(sampled, plain)
