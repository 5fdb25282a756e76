import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from flowkit import ActNorm, Flow, MultiScale, initialize
from flowkit_deflow.method.closed_form import closed_form_1d
from flowkit_deflow.method.latents import Domain, LatentModel
from flowkit_deflow.method.shifts.correlated import CorrelatedShift

means = st.floats(-5, 5)
stds = st.floats(0.2, 5)


def negative_log_likelihood(
    moments: tuple[float, float, float, float], scale: float, shift: float, u_mean: float, u_std: float
) -> float:
    """Expected over both Gaussian domains, of the model z = scale * x + shift; eqs. 4a and 4b, less constants."""
    mean_x, std_x, mean_y, std_y = moments
    clean = ((scale * mean_x + shift) ** 2 + (scale * std_x) ** 2) / 2
    variance = 1 + u_std**2
    degraded = ((scale * mean_y + shift - u_mean) ** 2 + (scale * std_y) ** 2) / (2 * variance) + math.log(variance) / 2
    return clean + degraded - 2 * math.log(scale)


class TestAgainstNumericOptimisation:
    @settings(deadline=None, max_examples=60)
    @given(mean_x=means, std_x=stds, mean_y=means, std_y=stds)
    def test_both_cases(self, mean_x: float, std_x: float, mean_y: float, std_y: float) -> None:
        # Close to the border between the cases the optimum is flat in u_std: there the numeric one is no reference.
        assume(abs(std_y / std_x - 1) > 0.05)
        moments = mean_x, std_x, mean_y, std_y
        found = min(
            (
                minimize(
                    lambda p: negative_log_likelihood(moments, math.exp(p[0]), p[1], p[2], p[3]),
                    [-math.log(std_x), -mean_x / std_x, 0.0, start],
                    method="L-BFGS-B",
                    bounds=[(-5, 5), (None, None), (None, None), (0, None)],
                    options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 2000, "maxfun": 20000},
                )
                for start in (0.1, 2.0)
            ),
            key=lambda result: result.fun,
        )
        optimum = closed_form_1d(*moments)
        # Nothing better was found, and what was found is the same.
        assert negative_log_likelihood(moments, *optimum) <= found.fun + 1e-9
        log_scale, shift, u_mean, u_std = found.x
        # Numeric differentiation leaves some 1e-4 where the likelihood is flat.
        assert math.exp(log_scale) == pytest.approx(optimum.scale, rel=5e-3)
        assert shift == pytest.approx(optimum.shift, rel=5e-3, abs=1e-2)
        assert u_mean == pytest.approx(optimum.u_mean, rel=5e-3, abs=1e-2)
        assert u_std == pytest.approx(optimum.u_std, rel=1e-2, abs=2e-2)

    @settings(deadline=None)
    @given(mean_x=means, std_x=stds, mean_y=means, std_y=stds, step=st.lists(st.floats(-1, 1), min_size=4, max_size=4))
    def test_nothing_nearby_is_better(
        self, mean_x: float, std_x: float, mean_y: float, std_y: float, step: list[float]
    ) -> None:
        moments = mean_x, std_x, mean_y, std_y
        optimum = closed_form_1d(*moments)
        best = negative_log_likelihood(moments, *optimum)
        for length in (1e-3, 0.1, 1.0):
            scale, shift, u_mean, u_std = (p + length * s for p, s in zip(optimum, step, strict=True))
            if scale > 0 and u_std >= 0:
                assert negative_log_likelihood(moments, scale, shift, u_mean, u_std) >= best - 1e-9


class TestMeaning:
    @settings(deadline=None)
    @given(mean_x=means, std_x=stds, mean_y=means, std_y=stds)
    def test_of_a_noisier_domain(self, mean_x: float, std_x: float, mean_y: float, std_y: float) -> None:
        assume(std_y >= std_x)
        optimum = closed_form_1d(mean_x, std_x, mean_y, std_y)
        assert optimum.degraded_mean_offset == pytest.approx(mean_y - mean_x, abs=1e-9)
        assert optimum.degraded_std**2 == pytest.approx(std_y**2 - std_x**2, abs=1e-9)
        # The clean latents are standard normal.
        assert optimum.scale * mean_x + optimum.shift == pytest.approx(0, abs=1e-9)
        assert optimum.scale * std_x == pytest.approx(1)

    @settings(deadline=None)
    @given(mean_x=means, std_x=stds, mean_y=means, std_y=stds)
    def test_of_a_quieter_domain(self, mean_x: float, std_x: float, mean_y: float, std_y: float) -> None:
        assume(std_y < std_x)
        optimum = closed_form_1d(mean_x, std_x, mean_y, std_y)
        assert optimum.u_std == optimum.degraded_std == 0
        assert optimum.degraded_mean_offset == pytest.approx(mean_y - mean_x, abs=1e-9)
        # The two variances average to one.
        assert optimum.scale**2 * (std_x**2 + std_y**2) / 2 == pytest.approx(1)

    def test_the_cases_meet(self) -> None:
        below, at = closed_form_1d(1, 2, 3, 2 - 1e-12), closed_form_1d(1, 2, 3, 2)
        assert at == pytest.approx((0.5, -0.5, 1.0, 0.0))
        assert below == pytest.approx(at)


@pytest.mark.parametrize(("std_x", "std_y"), [(0, 1), (1, 0), (-1, 1), (1, -1)])
def test_a_deviation_that_is_not_positive_is_refused(std_x: float, std_y: float) -> None:
    with pytest.raises(ValueError, match=f"standard deviations are {std_x} and {std_y}"):
        closed_form_1d(0, std_x, 0, std_y)


class TestGradientDescent:
    """A DeFlow of one affine layer, trained on unpaired numbers: images of one pixel and one channel."""

    # M starts as usual where it has to grow, and large where it has to vanish.
    @pytest.mark.parametrize(("std_y", "start"), [(3.0, 0.01), (0.7, 0.5)], ids=["noisier", "quieter"])
    def test_it_reaches_the_closed_form(self, std_y: float, start: float) -> None:
        generator = torch.Generator().manual_seed(0)
        x = 2.0 + 1.5 * torch.randn(500, 1, 1, 1, generator=generator, dtype=torch.float64)
        y = 3.0 + std_y * torch.randn(400, 1, 1, 1, generator=generator, dtype=torch.float64)
        # A single level: the latent model scores a tuple of one.
        layer, shift = ActNorm(1, event_dims=3), CorrelatedShift(1, start)
        flow = Flow(MultiScale([layer]), LatentModel([shift])).double()
        initialize(flow.bijector, torch.cat([x, y]))
        optimizer = torch.optim.Adam(flow.parameters(), lr=0.02)
        for _ in range(1500):
            loss = -flow.log_prob(x, label=Domain.CLEAN).mean() - flow.log_prob(y, label=Domain.DEGRADED).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        expected = closed_form_1d(
            x.mean().item(), x.std(correction=0).item(), y.mean().item(), y.std(correction=0).item()
        )
        scale = layer.log_scale.exp().item()
        # Two per cent, or of the latents' unit deviation for what is about 0.
        assert scale == pytest.approx(expected.scale, rel=0.02)
        assert scale * layer.bias.item() == pytest.approx(expected.shift, rel=0.02)
        assert shift.mean.item() == pytest.approx(expected.u_mean, rel=0.02)
        assert abs(shift.matrix.item()) == pytest.approx(expected.u_std, rel=0.02, abs=0.02)
