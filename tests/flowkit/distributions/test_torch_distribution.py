import pytest
import torch
import torch.distributions as td
from torch import Tensor, nn

from flowkit.distributions.torch_distribution import TorchDistribution

D = torch.float64


def log_normal(loc: Tensor, log_scale: Tensor) -> td.Distribution:
    return td.LogNormal(loc, log_scale.exp())


def test_log_densities_over_the_event_are_summed() -> None:
    loc, scale = torch.tensor([0.0, 1.0, -1.0], dtype=D), torch.tensor([1.0, 2.0, 0.5], dtype=D)
    base, z = TorchDistribution(td.Laplace, loc=loc, scale=scale), torch.randn(4, 5, 3, dtype=D)
    torch.testing.assert_close(base.log_prob(z), td.Laplace(loc, scale).log_prob(z).sum(-1))


def test_a_distribution_with_an_event_of_its_own() -> None:
    cholesky = torch.tensor([[1.0, 0.0], [0.5, 2.0]], dtype=D)
    base = TorchDistribution(td.MultivariateNormal, loc=torch.ones(2, dtype=D), scale_tril=cholesky)
    z = torch.randn(4, 2, dtype=D)
    torch.testing.assert_close(
        base.log_prob(z), td.MultivariateNormal(torch.ones(2, dtype=D), scale_tril=cholesky).log_prob(z)
    )
    drawn = base.sample(20000, (2,), generator=torch.Generator().manual_seed(0))
    # Five standard errors of the largest variance.
    assert (drawn.T.cov() - cholesky @ cholesky.T).abs().max() < 5 * 4.25 * (2 / 20000) ** 0.5


def test_one_parameter_for_a_whole_image() -> None:
    base = TorchDistribution(td.Laplace, event_dims=3, loc=torch.tensor(0.0), scale=torch.tensor(1.0))
    assert base.log_prob(torch.zeros(2, 3, 4, 5)).tolist() == pytest.approx([-60 * 0.693147] * 2, rel=1e-4)
    drawn = base.sample(2, (3, 4, 5))
    assert drawn.shape == (2, 3, 4, 5)
    assert len(drawn.unique()) == 120
    vectors = TorchDistribution(td.MultivariateNormal, 2, loc=torch.zeros(3), covariance_matrix=torch.eye(3))
    assert vectors.sample(5, (4, 3)).shape == (5, 4, 3)
    assert vectors.log_prob(torch.zeros(5, 4, 3)).shape == (5,)


def test_tensors_are_buffers_and_parameters_train() -> None:
    loc = nn.Parameter(torch.zeros(2))
    base = TorchDistribution(log_normal, loc=loc, log_scale=torch.zeros(2))
    assert [name for name, _ in base.named_parameters()] == ["loc"]
    assert set(base.state_dict()) == {"loc", "log_scale"}
    base.log_prob(torch.ones(3, 2)).sum().backward()
    assert loc.grad is not None
    base.double()
    assert base.sample(3, (2,)).dtype == D
    assert base.log_prob(torch.ones(3, 2)).dtype == torch.float32
    assert base.log_prob(torch.ones(3, 2, dtype=D)).dtype == D


def test_samples_are_reparametrised_where_the_distribution_is() -> None:
    concentration = nn.Parameter(torch.full((2,), 3.0))
    base = TorchDistribution(td.Gamma, concentration=concentration, rate=torch.ones(2))
    base.rsample(10, (2,), generator=torch.Generator().manual_seed(0)).sum().backward()
    assert concentration.grad is not None
    assert (concentration.grad > 0).all()
    poisson = TorchDistribution(td.VonMises, loc=torch.zeros(2), concentration=torch.ones(2))
    assert poisson.sample(10, (2,)).shape == (10, 2)


def test_the_global_source_is_left_as_it_was() -> None:
    base = TorchDistribution(td.Laplace, loc=torch.zeros(2), scale=torch.ones(2))
    state = torch.get_rng_state()
    generator = torch.Generator().manual_seed(0)
    one, two = (base.sample(5, (2,), generator=generator) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(one, two)


def test_temperature_counts_from_the_mean() -> None:
    base = TorchDistribution(td.Gumbel, loc=torch.tensor([1.0]), scale=torch.tensor([2.0]))
    mean = td.Gumbel(1.0, 2.0).mean
    hot, plain = (base.sample(9, (1,), None, t, torch.Generator().manual_seed(0)) for t in (2.0, 1.0))
    torch.testing.assert_close(hot - mean, 2 * (plain - mean))
    cauchy = TorchDistribution(td.Cauchy, loc=torch.zeros(1), scale=torch.ones(1))
    assert cauchy.sample(3, (1,)).shape == (3, 1)
    with pytest.raises(ValueError, match="no finite mean for a temperature"):
        cauchy.sample(3, (1,), temperature=0.5)


def test_a_ready_made_distribution_is_taken_as_it_is() -> None:
    made = td.Independent(td.Normal(torch.zeros(3, dtype=D), torch.ones(3, dtype=D)), 1)
    base, z = TorchDistribution(made), torch.randn(4, 3, dtype=D)
    torch.testing.assert_close(base.log_prob(z), made.log_prob(z))
    assert base.state_dict() == {}
    first = base.sample(5, (3,), generator=torch.Generator().manual_seed(0))
    assert torch.equal(first, base.sample(5, (3,), generator=torch.Generator().manual_seed(0)))
    with pytest.raises(TypeError, match="a ready-made Independent takes no parameters, got loc: pass its class"):
        TorchDistribution(made, loc=torch.zeros(3))


def test_other_settings_reach_the_distribution() -> None:
    base = TorchDistribution(td.Uniform, low=torch.zeros(2), high=torch.ones(2), validate_args=False)
    assert torch.equal(base.log_prob(torch.full((1, 2), 3.0)), torch.tensor([-torch.inf]))
    # Said aloud: torch.compile turns the default off for the whole process.
    strict = TorchDistribution(td.Uniform, low=torch.zeros(2), high=torch.ones(2), validate_args=True)
    with pytest.raises(ValueError, match="within the support"):
        strict.log_prob(torch.full((1, 2), 3.0))


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="has 2 dimensions, more than event_dims, 1"):
        TorchDistribution(td.Normal, loc=torch.zeros(2, 3), scale=torch.ones(2, 3))
    base = TorchDistribution(td.Normal, loc=torch.zeros(3), scale=torch.ones(3))
    for event in ((2,), (1,), (3, 3)):
        with pytest.raises(ValueError, match=r"does not fit the event shape"):
            base.sample(2, event)
    with pytest.raises(ValueError, match=r"of batch shape \(3,\) .* does not fit the event shape \(1,\)"):
        base.log_prob(torch.zeros(4, 1))
    with pytest.raises(ValueError, match=r"event shape \(2,\), .* does not fit the event shape \(3,\)"):
        TorchDistribution(td.MultivariateNormal, loc=torch.zeros(2), scale_tril=torch.eye(2)).log_prob(torch.zeros(3))
    with pytest.raises(TypeError, match=r"made a Linear, not a torch\.distributions\.Distribution"):
        TorchDistribution(lambda: nn.Linear(1, 1))  # type: ignore[arg-type, return-value]
