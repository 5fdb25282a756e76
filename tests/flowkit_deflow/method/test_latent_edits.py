import pytest
import torch
from torch import Tensor

from flowkit_deflow.method.latent_edits import Degrade, LatentEdit, Latents, Restore, Sample
from flowkit_deflow.method.latents import Domain, LatentModel
from flowkit_deflow.method.shifts.correlated import CorrelatedShift
from tests.flowkit_deflow.networks import move_shift

SHAPES = ((6, 4, 4), (24, 2, 2))


@pytest.fixture
def latents() -> LatentModel:
    generator = torch.Generator().manual_seed(0)
    model = LatentModel([CorrelatedShift(6), CorrelatedShift(24)]).double()
    for shift in model.shifts:
        move_shift(shift, 0.5, generator)
    return model.requires_grad_(False)


def numbers(count: int, batch: int = 2, seed: int = 0) -> list[Latents]:
    generator = torch.Generator().manual_seed(seed)

    def level(shape: tuple[int, ...]) -> Tensor:
        return torch.randn(batch, *shape, generator=generator, dtype=torch.float64)

    return [tuple(level(shape) for shape in SHAPES) for _ in range(count)]


def edits(latents: LatentModel, temperature: float = 1.0) -> list[LatentEdit]:
    return [
        Degrade(latents, temperature),
        Restore(latents, temperature),
        *(Sample(latents, domain, temperature) for domain in Domain),
    ]


def test_degrading_adds_the_shift(latents: LatentModel) -> None:
    (z, draw) = numbers(2)
    edited = Degrade(latents, 0.7).change(z, [draw], None)
    for before, after, noise, field in zip(z, edited, draw, latents.fields(z, None), strict=True):
        torch.testing.assert_close(after, before + 0.7 * field.draw(noise))


def test_restoring_without_temperature_gives_the_posteriors_mean(latents: LatentModel) -> None:
    z, *draws = numbers(3)
    edited = Restore(latents, 0.0).change(z, draws, None)
    for after, posterior in zip(edited, latents.posterior(z), strict=True):
        torch.testing.assert_close(after, posterior.mean)


def test_restoring_alone_scales_the_noise_in_h(latents: LatentModel) -> None:
    factors = {temperature: [edit.h_noise for edit in edits(latents, temperature)] for temperature in (0.0, 0.5, 2.0)}
    assert factors == {0.0: [1, 0, 1, 1], 0.5: [1, 0.5, 1, 1], 2.0: [1, 1, 1, 1]}


def test_samples_have_the_domains_moments(latents: LatentModel) -> None:
    draws = numbers(2, batch=4000)
    for domain in Domain:
        drawn = Sample(latents, domain, 1.0).change((), draws, None)
        for level, shift in zip(drawn, latents.shifts, strict=True):
            columns = level.movedim(1, 0).flatten(1)
            degraded = domain is Domain.DEGRADED
            covariance = torch.eye(shift.channels, dtype=torch.float64) + degraded * shift.factor @ shift.factor.T
            # At least 16,000 columns: entries of the covariance, up to 15, err by 0.12, the largest of 600 by four
            # times that; means by 0.03.
            torch.testing.assert_close(columns.cov(), covariance, atol=0.5, rtol=0)
            torch.testing.assert_close(columns.mean(1), degraded * shift.mean, atol=0.15, rtol=0)


def test_a_samples_temperature_leaves_the_mean(latents: LatentModel) -> None:
    draws = numbers(2)
    (cold, *_) = Sample(latents, Domain.DEGRADED, 0.0).change((), draws, None)
    torch.testing.assert_close(cold, latents.shifts[0].mean[:, None, None].expand(2, 6, 4, 4))


def test_an_edit_takes_as_many_draws_as_it_says(latents: LatentModel) -> None:
    for edit in edits(latents):
        z = numbers(1)[0] if edit.encodes else ()
        edited = edit.change(z, numbers(edit.draws), None)
        assert [tuple(level.shape[1:]) for level in edited] == list(SHAPES)
