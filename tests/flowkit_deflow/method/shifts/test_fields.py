"""Every kind of field, against the dense Gaussians that it stands for, place by place."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import MultivariateNormal

import flowkit_deflow.method.shifts.blended
from flowkit_deflow.method.shifts.binned import BinnedShift
from flowkit_deflow.method.shifts.blended import ODDS, SCALES, BlendedField
from flowkit_deflow.method.shifts.brightness import BrightnessShift
from flowkit_deflow.method.shifts.correlated import CorrelatedShift
from flowkit_deflow.method.shifts.field import ShiftField
from flowkit_deflow.method.shifts.inferred import InferredShift
from flowkit_deflow.method.shifts.shift import DomainShift
from flowkit_deflow.method.shifts.uncorrelated import UncorrelatedShift
from tests.flowkit_deflow.networks import move_shift

# Float64; matrices of order 1 whose conditions may be some hundreds.
TOLERANCE = {"atol": 1e-7, "rtol": 1e-7}

KINDS: list[Callable[[int], DomainShift]] = [
    CorrelatedShift,
    UncorrelatedShift,
    InferredShift,
    lambda channels: BinnedShift(channels, classes=(3, 2)),
    BrightnessShift,
]
every = pytest.mark.parametrize("make", KINDS, ids=["correlated", "uncorrelated", "none", "binned", "brightness"])
BATCH, SIZE = 2, (4, 3)


def drawn(test: Callable[..., None]) -> Callable[..., None]:
    """The test for every kind of field, with 20 draws of the number of channels and of everything else."""
    with_values = given(channels=st.integers(1, 4), seed=st.integers(0, 1000))(test)
    return every(settings(deadline=None, max_examples=20)(with_values))


class Dense(NamedTuple):
    """The Gaussians of a field at every place: means ``B x H x W x C`` and matrices ``B x H x W x C x C``."""

    mean: Tensor
    factor: Tensor
    clean_mean: Tensor
    clean_factor: Tensor

    @property
    def covariance(self) -> Tensor:
        return self.factor @ self.factor.mT

    @property
    def clean_covariance(self) -> Tensor:
        return self.clean_factor @ self.clean_factor.mT


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rows(z: Tensor) -> Tensor:
    """``B x C x H x W`` to ``B x H x W x C``."""
    return z.movedim(1, -1)


def field_of(make: Callable[[int], DomainShift], channels: int, seed: int) -> ShiftField:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        shift = make(channels).double().requires_grad_(False)
    move_shift(shift, 0.8, torch.Generator().manual_seed(seed))
    h = torch.rand(BATCH, 3, 2, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return shift.at(h, SIZE)


def dense(field: ShiftField, channels: int) -> Dense:
    """What linear maps do to unit vectors: the matrices column by column."""
    shape = BATCH, channels, *SIZE

    def matrix(function: Callable[[Tensor], Tensor]) -> Tensor:
        columns = []
        for channel in range(channels):
            unit = torch.zeros(shape, dtype=torch.float64)
            unit[:, channel] = 1
            columns.append(rows(function(unit)))
        return torch.stack(columns, -1)

    zero = torch.zeros(shape, dtype=torch.float64)
    return Dense(
        rows(zero + field.mean),
        matrix(field.deviation),
        rows(zero + field.clean_mean),
        matrix(field.clean_deviation),
    )


class TestGaussians:
    @drawn
    def test_degraded_latents(self, make: Callable[[int], DomainShift], channels: int, seed: int) -> None:
        field = field_of(make, channels, seed)
        gaussians = dense(field, channels)
        z = 2 * normal(BATCH, channels, *SIZE, seed=seed)
        covariance = torch.eye(channels, dtype=torch.float64) + gaussians.covariance
        expected = MultivariateNormal(gaussians.mean, covariance).log_prob(rows(z)).sum((1, 2))
        torch.testing.assert_close(field.log_prob(z), expected, **TOLERANCE)

    @drawn
    def test_the_shift_itself(self, make: Callable[[int], DomainShift], channels: int, seed: int) -> None:
        field = field_of(make, channels, seed)
        gaussians = dense(field, channels)
        u = normal(BATCH, channels, *SIZE, seed=seed)
        # M itself factorises the covariance: squaring its condition, up to some 1e4, would cost half of the digits.
        white = torch.linalg.solve(gaussians.factor, (rows(u) - gaussians.mean)[..., None])[..., 0]
        standard = MultivariateNormal(torch.zeros(channels).double(), torch.eye(channels).double())
        expected = standard.log_prob(white) - torch.linalg.slogdet(gaussians.factor).logabsdet
        torch.testing.assert_close(field.log_prob_shift(u), expected.sum((1, 2)), atol=1e-5, rtol=1e-5)

    @drawn
    def test_posterior(self, make: Callable[[int], DomainShift], channels: int, seed: int) -> None:
        z = normal(BATCH, channels, *SIZE, seed=seed)
        field = field_of(make, channels, seed).widened_for(z)
        gaussians = dense(field, channels)
        # Conditioning of the joint Gaussian of (z_x, z_y).
        x = gaussians.clean_covariance
        gain = x @ torch.linalg.inv(x + gaussians.covariance)
        deviation = (rows(z) - gaussians.clean_mean - gaussians.mean)[..., None]
        posterior = field.posterior(z)
        torch.testing.assert_close(rows(posterior.mean), gaussians.clean_mean + (gain @ deviation)[..., 0], **TOLERANCE)
        covariance = posterior.covariance.expand(BATCH, *SIZE, channels, channels)
        torch.testing.assert_close(covariance, x - gain @ x, **TOLERANCE)

    @drawn
    def test_draws(self, make: Callable[[int], DomainShift], channels: int, seed: int) -> None:
        field = field_of(make, channels, seed)
        gaussians = dense(field, channels)
        noise = normal(BATCH, channels, *SIZE, seed=seed)
        expected = gaussians.mean + (gaussians.factor @ rows(noise)[..., None])[..., 0]
        torch.testing.assert_close(rows(field.draw(noise)), expected, **TOLERANCE)


@every
class TestPosteriorDraws:
    def test_without_temperature_it_is_the_mean(self, make: Callable[[int], DomainShift]) -> None:
        field = field_of(make, 3, 1)
        z, *noise = (normal(BATCH, 3, *SIZE, seed=seed) for seed in range(3))
        torch.testing.assert_close(field.sample_posterior(z, *noise, 0.0), field.posterior(z).mean, **TOLERANCE)

    @pytest.mark.parametrize("temperature", [1.0, 0.5])
    def test_a_draw_is_linear_in_its_noises_with_the_posteriors_covariance(
        self, make: Callable[[int], DomainShift], temperature: float
    ) -> None:
        channels = 3
        field = field_of(make, channels, 2)
        z = normal(BATCH, channels, *SIZE)
        mean, covariance = field.posterior(z)
        zero = torch.zeros_like(z)
        columns = []
        # Exactly, with no statistics: the columns of the map from both noises, unit vector by unit vector.
        for channel in range(channels):
            unit = zero.clone()
            unit[:, channel] = 1
            noises = (unit, zero), (zero, unit)
            columns += [rows(field.sample_posterior(z, *pair, temperature) - mean) for pair in noises]
        matrix = torch.stack(columns, -1)
        expected = temperature**2 * covariance.expand(BATCH, *SIZE, channels, channels)
        torch.testing.assert_close(matrix @ matrix.mT, expected, **TOLERANCE)


@settings(deadline=None, max_examples=20)
@given(channels=st.integers(1, 4), seed=st.integers(0, 1000))
def test_clean_latents_are_scaled_by_the_mean_of_a_scale_mixture(channels: int, seed: int) -> None:
    field = field_of(KINDS[3], channels, seed)
    gaussians = dense(field, channels)
    z = 4 * normal(BATCH, channels, *SIZE, seed=seed)
    scales = torch.tensor(SCALES, dtype=torch.float64)
    clean, noise = gaussians.clean_covariance[None], gaussians.covariance
    mixture = MultivariateNormal(
        gaussians.clean_mean + gaussians.mean, scales.reshape(-1, 1, 1, 1, 1, 1) * clean + noise
    )
    odds = torch.tensor(ODDS, dtype=torch.float64).reshape(-1, 1, 1, 1)
    posterior = (mixture.log_prob(rows(z)).exp() * odds).movedim(0, -1)
    expected = (posterior / posterior.sum(-1, keepdim=True)) @ scales
    widened = field.widened_for(z)
    assert isinstance(widened, BlendedField)
    torch.testing.assert_close(widened.scale[:, 0], expected, **TOLERANCE)


@every
def test_out_of_autocast(make: Callable[[int], DomainShift]) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        shift = make(8).requires_grad_(False)
    move_shift(shift, 0.5, torch.Generator().manual_seed(0))
    h = torch.rand(BATCH, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    z, *noise = (normal(BATCH, 8, *SIZE, seed=seed).float() for seed in range(3))

    def values() -> list[Tensor]:
        field = shift.at(h, SIZE)
        return [
            field.log_prob(z),
            field.log_prob_shift(z),
            field.draw(z),
            field.posterior(z).mean,
            field.sample_posterior(z, *noise, 1.0),
        ]

    expected = values()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert all(torch.equal(got, value) for got, value in zip(values(), expected, strict=True))


def test_places_are_worked_through_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    field = field_of(KINDS[3], 3, 0)
    z = normal(BATCH, 3, *SIZE)
    whole = field.log_prob(z), field.posterior(z).mean, field.posterior(z).covariance
    # 24 places: the last part is smaller.
    monkeypatch.setattr(flowkit_deflow.method.shifts.blended, "PLACES_AT_ONCE", 7)
    parts = field.log_prob(z), field.posterior(z).mean, field.posterior(z).covariance
    for got, expected in zip(parts, whole, strict=True):
        torch.testing.assert_close(got, expected, **TOLERANCE)


@every
def test_an_empty_batch(make: Callable[[int], DomainShift]) -> None:
    shift = make(2).requires_grad_(False)
    move_shift(shift, 0.5, torch.Generator().manual_seed(0))
    field = shift.at(torch.zeros(0, 3, *SIZE), SIZE)
    z = torch.zeros(0, 2, *SIZE)
    assert field.log_prob(z).shape == (0,)
    assert field.draw(z).shape == field.posterior(z).mean.shape == z.shape
