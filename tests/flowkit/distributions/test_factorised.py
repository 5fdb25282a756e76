import pytest
import torch

from flowkit import Factorised, Gaussian, StandardNormal


def base() -> Factorised:
    torch.manual_seed(0)
    gaussian = Gaussian(2)
    with torch.no_grad():
        gaussian.mean.add_(torch.tensor([5.0, -5.0]))
    return Factorised([gaussian, StandardNormal(event_dims=3)])


def test_each_latent_has_its_own_distribution() -> None:
    both = base()
    z = torch.randn(3, 2, 4, 4), torch.randn(3, 8, 2, 2)
    expected = both.distributions[0].log_prob(z[0]) + both.distributions[1].log_prob(z[1])
    torch.testing.assert_close(both.log_prob(z), expected)


def test_samples_come_from_each_in_order() -> None:
    shapes = (2, 4, 4), (8, 2, 2)
    first, second = base().sample(50, shapes, generator=torch.Generator().manual_seed(0))
    assert first.shape == (50, 2, 4, 4)
    assert second.shape == (50, 8, 2, 2)
    assert (first.mean((0, 2, 3)) - torch.tensor([5.0, -5.0])).abs().max() < 0.5
    assert second.mean().abs() < 0.5


def test_temperature_and_generator_reach_the_parts() -> None:
    first, second = base().sample(2, ((2, 1, 1), (8, 1, 1)), temperature=0.0)
    assert first[:, :, 0, 0].tolist() == [[5.0, -5.0]] * 2
    assert not second.any()
    again = [base().sample(2, ((2, 1, 1), (8, 1, 1)), generator=torch.Generator().manual_seed(3)) for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(*again, strict=True))


def test_the_parts_train() -> None:
    assert {name for name, _ in base().named_parameters()} == {
        f"_distributions.0.{name}" for name in ("mean", "log_diagonal", "lower")
    }


def test_another_number_of_latents_is_refused() -> None:
    with pytest.raises(ValueError, match="1 latents for 2 distributions"):
        base().log_prob((torch.zeros(1, 2, 1, 1),))
    with pytest.raises(ValueError, match="argument"):
        base().sample(1, ((2, 1, 1),))
