import torch

from flowkit import StandardNormal

REFERENCE = torch.distributions.Normal(torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64))


def test_log_density_of_a_tensor() -> None:
    z = torch.randn(4, 2, 3, 5, dtype=torch.float64)
    torch.testing.assert_close(StandardNormal(event_dims=3).log_prob(z), REFERENCE.log_prob(z).sum((1, 2, 3)))
    torch.testing.assert_close(StandardNormal(event_dims=1).log_prob(z), REFERENCE.log_prob(z).sum(3))


def test_log_density_of_a_tuple_is_the_sum() -> None:
    base = StandardNormal(event_dims=3)
    z = tuple(torch.randn(4, c, 3, 5, dtype=torch.float64) for c in (2, 6))
    torch.testing.assert_close(base.log_prob(z), base.log_prob(z[0]) + base.log_prob(z[1]))


def test_half_precision_is_scored_in_float32() -> None:
    z = torch.ones(1, 4096, dtype=torch.bfloat16)
    scored = StandardNormal().log_prob(z)
    assert scored.dtype == torch.float32
    torch.testing.assert_close(scored, StandardNormal().log_prob(z.float()))


def test_samples_have_the_shapes_asked_for() -> None:
    base = StandardNormal(event_dims=3)
    assert base.sample(4, (2, 3, 5)).shape == (4, 2, 3, 5)
    parts = base.sample(4, ((2, 3, 5), (6, 1, 1)))
    assert [tuple(part.shape) for part in parts] == [(4, 2, 3, 5), (4, 6, 1, 1)]
    assert StandardNormal().double().sample(1, (2,)).dtype == torch.float64


def test_samples_are_standard_normal_times_the_temperature() -> None:
    base = StandardNormal()

    def draw(temperature: float) -> torch.Tensor:
        return base.sample(20000, (2,), temperature=temperature, generator=torch.Generator().manual_seed(0))

    one = draw(1.0)
    # Five standard errors, as for normal_like.
    assert one.mean(0).abs().max() < 5 / 20000**0.5
    assert (one.var(0) - 1).abs().max() < 5 * (2 / 20000) ** 0.5
    torch.testing.assert_close(draw(0.7), 0.7 * one)
    assert torch.equal(draw(0.0), torch.zeros_like(one))


def test_levels_are_independent() -> None:
    one, two = StandardNormal(3).sample(1, ((1, 4, 4), (1, 4, 4)), generator=torch.Generator().manual_seed(0))
    assert not torch.equal(one, two)
