from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import MultivariateNormal

from flowkit_deflow.method.latents import Domain, LatentModel
from flowkit_deflow.method.shifts.correlated import CorrelatedShift
from flowkit_deflow.method.shifts.inferred import InferredShift
from flowkit_deflow.method.shifts.shift import DomainShift
from flowkit_deflow.method.shifts.uncorrelated import UncorrelatedShift
from tests.flowkit_deflow.networks import move_shift

# Float64 throughout; a few hundred summands of order 1 to 100.
TOLERANCE: dict[str, Any] = {"atol": 1e-9, "rtol": 1e-9}

KINDS: list[type[DomainShift]] = [CorrelatedShift, UncorrelatedShift, InferredShift]
sizes = st.integers(1, 3)
seeds = st.integers(0, 1000)


def shift_of(kind: type[DomainShift], channels: int, seed: int = 0) -> DomainShift:
    """A shift of order 1, in float64."""
    shift = kind(channels).double()
    move_shift(shift, 0.8, torch.Generator().manual_seed(seed))
    return shift


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def at_positions(z: Tensor) -> Tensor:
    """``B x C x H x W`` to ``B x (H * W) x C``."""
    return z.flatten(2).mT


def covariance_of_sum(shift: DomainShift) -> Tensor:
    return torch.eye(shift.channels, dtype=torch.float64) + shift.factor @ shift.factor.T


class TestMarginals:
    @pytest.mark.parametrize("kind", KINDS)
    @settings(deadline=None)
    @given(channels=st.integers(1, 4), batch=sizes, height=sizes, width=sizes, seed=seeds)
    def test_equations_4a_and_4b(
        self, kind: type[DomainShift], channels: int, batch: int, height: int, width: int, seed: int
    ) -> None:
        shift = shift_of(kind, channels, seed)
        z = 2 * normal(batch, channels, height, width, seed=seed)
        zero, one = torch.zeros(channels, dtype=torch.float64), torch.eye(channels, dtype=torch.float64)
        clean = MultivariateNormal(zero, one)
        # Without a shift in training, one standard normal scores both.
        degraded = clean if kind is InferredShift else MultivariateNormal(shift.mean, covariance_of_sum(shift))
        model = LatentModel([shift])
        for domain, expected in ((Domain.CLEAN, clean), (Domain.DEGRADED, degraded)):
            value = expected.log_prob(at_positions(z)).sum(1)
            torch.testing.assert_close(model.log_prob((z,), domain), value, **TOLERANCE)

    def test_levels_add_up_and_each_image_has_its_own_domain(self) -> None:
        shifts = [shift_of(CorrelatedShift, 3, 1), shift_of(UncorrelatedShift, 2, 2)]
        z = normal(4, 3, 2, 5), normal(4, 2, 1, 3)
        model = LatentModel(shifts)
        apart = {
            domain: sum(LatentModel([s]).log_prob((level,), domain) for s, level in zip(shifts, z, strict=True))
            for domain in Domain
        }
        domains = [1, 0, 0, 1]
        expected = torch.stack([apart[Domain(domain)][i] for i, domain in enumerate(domains)])  # type: ignore[index]
        torch.testing.assert_close(model.log_prob(z, torch.tensor(domains)), expected, **TOLERANCE)

    def test_out_of_autocast(self) -> None:
        shift = CorrelatedShift(8)
        move_shift(shift, 0.8, torch.Generator().manual_seed(0))
        z = normal(2, 8, 3, 3).float()
        model = LatentModel([shift])
        expected = model.log_prob((z,), Domain.DEGRADED)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(model.log_prob((z,), Domain.DEGRADED), expected)

    def test_no_domain_is_refused(self) -> None:
        with pytest.raises(ValueError, match="depends on the domain"):
            LatentModel([CorrelatedShift(2)]).log_prob((torch.zeros(1, 2, 1, 1),))

    def test_another_number_of_levels_is_refused(self) -> None:
        model, z = LatentModel([CorrelatedShift(2)]), torch.zeros(1, 2, 1, 1)
        with pytest.raises(ValueError, match="2 latents for a model of 1 levels"):
            model.log_prob((z, z), Domain.CLEAN)
        with pytest.raises(ValueError, match="2 latents for a model of 1 levels"):
            model.log_prob_pair((z,), (z, z))


class TestPairs:
    @pytest.mark.parametrize("kind", KINDS)
    @settings(deadline=None)
    @given(channels=st.integers(1, 4), batch=sizes, seed=seeds)
    def test_equation_5(self, kind: type[DomainShift], channels: int, batch: int, seed: int) -> None:
        shift = shift_of(kind, channels, seed)
        x, y = normal(batch, channels, 2, 3, seed=seed), normal(batch, channels, 2, 3, seed=seed + 1)
        # M itself factorises the covariance: density of u~ = M^-1 (u - mu), divided by |det M|. (Squaring a badly
        # conditioned M, as MultivariateNormal wants it, would cost half of the digits.)
        u = at_positions(y - x) - shift.mean
        white = torch.linalg.solve(shift.factor, u.mT).mT
        standard = MultivariateNormal(torch.zeros(channels).double(), torch.eye(channels).double())
        expected = (standard.log_prob(white) - torch.linalg.slogdet(shift.factor).logabsdet).sum(1)
        value = LatentModel([shift]).log_prob_pair((x,), (y,))
        # Drawn matrices may have conditions up to some 1e4.
        torch.testing.assert_close(value, expected, atol=1e-6, rtol=1e-6)

    def test_against_the_normal_distribution(self) -> None:
        shift = shift_of(CorrelatedShift, 3)
        x, y = normal(2, 3, 2, 2), normal(2, 3, 2, 2, seed=1)
        u = MultivariateNormal(shift.mean, shift.factor @ shift.factor.T)
        value = LatentModel([shift]).log_prob_pair((x,), (y,))
        torch.testing.assert_close(value, u.log_prob(at_positions(y - x)).sum(1), **TOLERANCE)


class TestDegrade:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0, 1.7])
    def test_equations_3_and_8(self, kind: type[DomainShift], temperature: float) -> None:
        shift = shift_of(kind, 3)
        z, noise = normal(2, 3, 4, 5), normal(2, 3, 4, 5, seed=1)
        (degraded,) = LatentModel([shift]).degrade((z,), [noise], temperature)
        expected = torch.empty_like(z)
        for image in range(2):
            for row in range(4):
                for column in range(5):
                    u = shift.mean + shift.factor @ noise[image, :, row, column]
                    expected[image, :, row, column] = z[image, :, row, column] + temperature * u
        torch.testing.assert_close(degraded, expected, **TOLERANCE)
        if temperature == 0:
            assert torch.equal(degraded, z)


def moments(z: Tensor) -> tuple[Tensor, Tensor]:
    columns = at_positions(z).flatten(0, 1)
    return columns.mean(0), columns.T.cov()


class TestSample:
    # 40 000 positions: means are known to 0.005 and covariances of order 1 to 0.01 (one standard deviation);
    # five of them are allowed.
    @pytest.mark.parametrize("temperature", [1.0, 0.5])
    @pytest.mark.parametrize("domain", list(Domain))
    def test_moments(self, domain: Domain, temperature: float) -> None:
        shift = shift_of(CorrelatedShift, 2)
        (z,) = LatentModel([shift]).sample(4, ((2, 100, 100),), domain, temperature, torch.Generator().manual_seed(0))
        assert z.dtype == torch.float64
        mean, covariance = moments(z)
        degraded = float(domain is Domain.DEGRADED)
        # The temperature leaves the mean where it is.
        torch.testing.assert_close(mean, degraded * shift.mean, atol=0.03, rtol=0)
        expected = torch.eye(2).double() + degraded * (covariance_of_sum(shift) - torch.eye(2))
        torch.testing.assert_close(covariance, temperature**2 * expected, atol=0.08, rtol=0)

    def test_without_temperature_it_is_the_mean(self) -> None:
        shift = shift_of(UncorrelatedShift, 2)
        (z,) = LatentModel([shift]).sample(2, ((2, 3, 3),), torch.tensor([0, 1]), 0.0)
        expected = torch.stack([torch.zeros_like(shift.mean), shift.mean])[..., None, None].expand(2, 2, 3, 3)
        torch.testing.assert_close(z, expected, **TOLERANCE)

    def test_the_generator_decides(self) -> None:
        model = LatentModel([CorrelatedShift(2), CorrelatedShift(3)])

        def sample(seed: int) -> tuple[Tensor, ...]:
            generator = torch.Generator().manual_seed(seed)
            return model.sample(2, ((2, 3, 3), (3, 1, 1)), Domain.DEGRADED, generator=generator)

        first, again, other = sample(0), sample(0), sample(1)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
        assert not any(torch.equal(a, b) for a, b in zip(first, other, strict=True))


class TestPosterior:
    @pytest.mark.parametrize("kind", KINDS)
    @settings(deadline=None)
    @given(channels=st.integers(1, 4), seed=seeds)
    def test_conditioning_of_the_joint_gaussian(self, kind: type[DomainShift], channels: int, seed: int) -> None:
        shift = shift_of(kind, channels, seed)
        z = normal(2, channels, 2, 3, seed=seed)
        # The joint Gaussian of (z_x, z_y) from z_x = e, z_y = e + mu + M u~: a linear map of the noises (e, u~).
        one, nothing = torch.eye(channels).double(), torch.zeros(channels, channels).double()
        linear = torch.cat([torch.cat([one, nothing], 1), torch.cat([one, shift.factor], 1)])
        joint = linear @ linear.T
        xx, xy, yy = joint[:channels, :channels], joint[:channels, channels:], joint[channels:, channels:]
        gain = xy @ torch.linalg.inv(yy)
        mean = (at_positions(z) - shift.mean) @ gain.T
        (posterior,) = LatentModel([shift]).posterior((z,))
        torch.testing.assert_close(at_positions(posterior.mean), mean, **TOLERANCE)
        torch.testing.assert_close(posterior.covariance, xx - gain @ xy.T, **TOLERANCE)

    def test_small_covariances_are_not_lost(self) -> None:
        shift = CorrelatedShift(2, start=1e-5)
        (posterior,) = LatentModel([shift]).posterior((torch.zeros(1, 2, 1, 1),))
        # I - S^-1 would be 0 or 1.2e-7, the last bit of a float32 near 1.
        torch.testing.assert_close(posterior.covariance, 1e-10 * torch.eye(2), atol=0, rtol=1e-5)

    @pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
    def test_samples_have_its_moments(self, temperature: float) -> None:
        shift = shift_of(CorrelatedShift, 2)
        z = normal(1, 2, 1, 1).expand(1, 2, 200, 200)
        noise = normal(1, 2, 200, 200, seed=1), normal(1, 2, 200, 200, seed=2)
        model = LatentModel([shift])
        (posterior,) = model.posterior((z,))
        mean, covariance = moments(model.restore((z,), [noise], temperature)[0])
        # As for the samples above: five standard deviations at 40 000 positions.
        torch.testing.assert_close(mean, posterior.mean[0, :, 0, 0], atol=0.025 * temperature, rtol=0)
        expected = temperature**2 * posterior.covariance
        torch.testing.assert_close(covariance, expected, atol=0.04 * temperature**2, rtol=0)

    @pytest.mark.parametrize("kind", KINDS)
    def test_without_temperature_a_sample_is_the_mean(self, kind: type[DomainShift]) -> None:
        shift, z = shift_of(kind, 3), normal(2, 3, 2, 2)
        model = LatentModel([shift])
        (sample,) = model.restore((z,), [(normal(2, 3, 2, 2, seed=1), normal(2, 3, 2, 2, seed=2))], 0.0)
        assert torch.equal(sample, model.posterior((z,))[0].mean)

    def test_a_singular_factor_is_no_obstacle(self) -> None:
        shift = CorrelatedShift(2).double()
        with torch.no_grad():
            shift.matrix.copy_(torch.tensor([[1.0, 0.0], [2.0, 0.0]]))
        noise = normal(1, 2, 50, 50, seed=1), normal(1, 2, 50, 50, seed=2)
        (sample,) = LatentModel([shift]).restore((normal(1, 2, 1, 1).expand(1, 2, 50, 50),), [noise])
        # Across the direction of M, z_y tells z_x exactly.
        across = torch.tensor([2.0, -1.0]).double()
        spread = (at_positions(sample) @ across).std()
        assert spread < 1e-12
        assert (at_positions(sample) @ torch.tensor([1.0, 2.0]).double()).std() > 0.1

    def test_a_degraded_version_is_consistent_with_its_posterior(self) -> None:
        # (z_x - posterior mean of z_y) has the posterior's covariance, over draws of both.
        shift = shift_of(CorrelatedShift, 2)
        model = LatentModel([shift])
        x = normal(1, 2, 200, 200, seed=3)
        (y,) = model.degrade((x,), [normal(1, 2, 200, 200, seed=4)])
        (posterior,) = model.posterior((y,))
        mean, covariance = moments(x - posterior.mean)
        torch.testing.assert_close(mean, torch.zeros(2).double(), atol=0.025, rtol=0)
        torch.testing.assert_close(covariance, posterior.covariance, atol=0.04, rtol=0)


def matrix_gradient(start: Tensor) -> Tensor:
    shift = CorrelatedShift(2).double()
    with torch.no_grad():
        shift.matrix.copy_(start)
    LatentModel([shift]).log_prob((2 * normal(4, 2, 3, 3),), Domain.DEGRADED).sum().backward()
    assert shift.matrix.grad is not None
    return shift.matrix.grad


class TestTraining:
    def test_the_gradient_at_the_start_is_not_zero(self) -> None:
        assert matrix_gradient(CorrelatedShift(2).matrix).abs().min() > 1e-3

    def test_at_zero_the_gradient_vanishes(self) -> None:
        assert torch.equal(matrix_gradient(torch.zeros(2, 2)), torch.zeros(2, 2).double())

    @pytest.mark.parametrize(
        ("make", "matrix"),
        [
            (CorrelatedShift, [[1.0, 0.0], [0.9, 0.7]]),
            (UncorrelatedShift, [[1.2, 0.0], [0.0, 0.6]]),
        ],
    )
    def test_descent_recovers_a_shift(
        self, make: Callable[[int], CorrelatedShift | UncorrelatedShift], matrix: list[list[float]]
    ) -> None:
        mean, factor = torch.tensor([0.7, -1.1]).double(), torch.tensor(matrix).double()
        clean = normal(4, 2, 50, 50, seed=1)
        shifted = mean[:, None, None] + torch.einsum("ij,bjhw->bihw", factor, normal(4, 2, 50, 50, seed=2))
        degraded = normal(4, 2, 50, 50, seed=3) + shifted
        shift = make(2).double()
        model = LatentModel([shift])
        optimizer = torch.optim.Adam(shift.parameters(), lr=0.05)
        for _ in range(200):
            loss = -(model.log_prob((clean,), Domain.CLEAN) + model.log_prob((degraded,), Domain.DEGRADED)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        # 10 000 positions: the moments of the data themselves are only this near to the truth (five standard
        # deviations of 0.016 and 0.025).
        torch.testing.assert_close(shift.mean.detach(), mean, atol=0.08, rtol=0)
        torch.testing.assert_close((shift.factor @ shift.factor.T).detach(), factor @ factor.T, atol=0.13, rtol=0)

    def test_from_zero_it_never_would(self) -> None:
        shift = CorrelatedShift(2).double()
        with torch.no_grad():
            shift.matrix.zero_()
        model, z = LatentModel([shift]), 3 * normal(4, 2, 5, 5)
        optimizer = torch.optim.Adam(shift.parameters(), lr=0.05)
        for _ in range(20):
            optimizer.zero_grad()
            (-model.log_prob((z,), Domain.DEGRADED).mean()).backward()
            optimizer.step()
        assert torch.equal(shift.matrix.detach(), torch.zeros(2, 2).double())

    @pytest.mark.parametrize("make", [CorrelatedShift, UncorrelatedShift])
    @pytest.mark.parametrize("start", [0.0, -0.01])
    def test_a_start_that_is_not_positive_is_refused(self, make: Callable[..., DomainShift], start: float) -> None:
        with pytest.raises(ValueError, match="the gradient of M vanishes"):
            make(2, start)

    def test_without_a_shift_there_is_nothing_to_train(self) -> None:
        assert list(InferredShift(2).parameters()) == []


class TestInferredShift:
    def test_it_finds_a_known_shift(self) -> None:
        mean, factor = torch.tensor([0.7, -1.1]).double(), torch.tensor([[1.0, 0.0], [0.9, 0.7]]).double()
        shift = InferredShift(2).double()
        # The clean latents need be neither standard nor as many.
        clean = 0.5 + 2 * normal(3, 2, 100, 100, seed=1)
        degraded = 0.5 + 2 * normal(5, 2, 90, 100, seed=2) + mean[:, None, None]
        degraded = degraded + torch.einsum("ij,bjhw->bihw", factor, normal(5, 2, 90, 100, seed=3))
        shift.infer(clean, degraded)
        # Five standard deviations of a mean (0.013) and a variance (0.042) with 30 000 and 45 000 positions.
        torch.testing.assert_close(shift.mean, mean, atol=0.07, rtol=0)
        torch.testing.assert_close(shift.factor @ shift.factor.T, factor @ factor.T, atol=0.21, rtol=0)

    def test_it_is_the_difference_of_the_measured_moments(self) -> None:
        clean, degraded = normal(2, 3, 4, 5, seed=1), 5 * normal(3, 3, 5, 4, seed=2)
        shift = InferredShift(3).double()
        shift.infer(clean, degraded)
        columns_x, columns_y = at_positions(clean).flatten(0, 1), at_positions(degraded).flatten(0, 1)
        difference = columns_y.T.cov(correction=0) - columns_x.T.cov(correction=0)
        torch.testing.assert_close(shift.mean, columns_y.mean(0) - columns_x.mean(0), **TOLERANCE)
        torch.testing.assert_close(shift.factor @ shift.factor.T, difference, **TOLERANCE)

    def test_noise_cannot_take_variance_away(self) -> None:
        clean = normal(2, 2, 20, 20, seed=1)
        degraded = normal(2, 2, 20, 20, seed=2) * torch.tensor([0.5, 2.0]).double()[:, None, None]
        shift = InferredShift(2).double()
        shift.infer(clean, degraded)
        covariance = shift.factor @ shift.factor.T
        # Both domains are uncorrelated but for chance (1 / sqrt(800) = 0.035).
        assert covariance[0, 0] < 0.03
        assert covariance[1, 1] == pytest.approx(3, abs=0.6)

    def test_before_it_is_measured_there_is_none(self) -> None:
        shift, z = InferredShift(2), torch.rand(1, 2, 3, 3)
        assert torch.equal(LatentModel([shift]).degrade((z,), [torch.randn(1, 2, 3, 3)])[0], z)

    def test_what_was_measured_is_saved(self) -> None:
        shift, other = InferredShift(2), InferredShift(2)
        shift.infer(torch.rand(2, 2, 3, 3), 2 * torch.rand(2, 2, 3, 3))
        other.load_state_dict(shift.state_dict())
        assert torch.equal(other.mean, shift.mean)
        assert torch.equal(other.factor, shift.factor)
