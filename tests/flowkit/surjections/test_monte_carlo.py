"""Metropolis and Langevin layers: right weights, whatever the steps; samples that come nearer to the target."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from flowkit import Elementwise, ScaleShift, StandardNormal
from flowkit.surjections import Langevin, Metropolis, StochasticFlow, StochasticMap

DTYPE = torch.float64
MEAN = 1.0


def log_target(x: Tensor) -> Tensor:
    """A normal of deviation 1/2 about 1 in each entry, times 3: its integral is 3."""
    white = 2 * (x - MEAN)
    return (-white.square() / 2 - math.log(2 * math.pi) / 2 + math.log(2)).sum(-1) + math.log(3)


LAYERS = {
    "Metropolis": lambda: Metropolis(log_target, steps=10, scale=0.5),
    "Langevin": lambda: Langevin(log_target, steps=5, step_size=0.05).double(),
    "Langevin, two large steps": lambda: Langevin(log_target, steps=2, step_size=0.15).double(),
}
every = pytest.mark.parametrize("name", LAYERS)


def flow_of(layer: StochasticMap) -> StochasticFlow:
    """A normal of deviation 1/2 about 1/2, as wide as the target, so that no weight has heavy tails; then the layer."""
    affine = Elementwise(ScaleShift(nn.Identity()), (2,)).double()
    affine.raw.data[:] = torch.tensor([-1.0, math.log(2)])  # type: ignore[union-attr]
    return StochasticFlow([layer, affine], StandardNormal(), (2,))


@every
def test_weights_add_up_to_the_integral(name: str) -> None:
    torch.manual_seed(0)
    flow = flow_of(LAYERS[name]()).double()
    with torch.no_grad():
        x, log_path = flow.sample_and_log_path(20_000)
    weights = (log_target(x) - log_path).exp()
    error = float(weights.std()) / math.sqrt(len(weights))
    assert float(weights.mean()) == pytest.approx(3, abs=5 * error)
    assert error < 0.15
    mean = (weights.unsqueeze(-1) * x).sum(0) / weights.sum()
    torch.testing.assert_close(mean, torch.full((2,), MEAN, dtype=mean.dtype), rtol=0, atol=0.1)


@pytest.mark.parametrize("name", ["Metropolis", "Langevin"])
def test_samples_come_nearer_to_the_target(name: str) -> None:
    torch.manual_seed(0)
    with_it = flow_of(LAYERS[name]()).double().sample(4000).mean(0)
    assert ((with_it - MEAN).abs() < 0.25).all()


@every
def test_the_mean_of_estimated_densities_is_the_density_and_of_their_logarithms_below(name: str) -> None:
    torch.manual_seed(0)
    flow = flow_of(LAYERS[name]()).double()
    x = torch.tensor([[1.0, 1.0]], dtype=DTYPE)
    # The density of what comes out of the layer has no formula: samples are counted in a box.
    inside = ((flow.sample(50_000) - x).abs() < 0.2).all(-1).double().mean()
    expected = float(inside.log()) - 2 * math.log(0.4)
    with torch.no_grad():
        estimates = flow.log_prob(x.expand(50_000, 2))
    # A box of this width averages over a density that bends; at least 1000 samples are inside.
    assert float(estimates.logsumexp(0)) - math.log(len(estimates)) == pytest.approx(expected, abs=0.15)
    assert float(estimates.mean()) < expected


def test_more_draws_raise_the_bound() -> None:
    torch.manual_seed(0)
    flow = flow_of(LAYERS["Langevin"]()).double()
    x = torch.ones(500, 2, dtype=DTYPE)
    with torch.no_grad():
        assert float(flow.log_prob(x).mean()) < float(flow.log_prob(x, draws=10).mean())


def test_the_step_size_is_learned_and_the_score_is_differentiated() -> None:
    layer = Langevin(log_target, steps=2, step_size=0.1).double()
    z = torch.zeros(50, 2, dtype=DTYPE, requires_grad=True)
    x, contribution = layer.inverse(z)
    (log_target(x) + contribution).sum().backward()
    assert layer.log_step_size.grad is not None
    assert layer.log_step_size.grad != 0
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_images_are_walked_as_wholes() -> None:
    layer = Metropolis(lambda x: -x.flatten(-3).square().sum(-1) / 2, steps=20, scale=0.3, event_dims=3)
    start = torch.zeros(30, 1, 2, 3)
    end, contribution = layer(start)
    assert end.shape == start.shape
    assert contribution.shape == (30,)
    moved = (end != 0).flatten(1)
    assert torch.equal(moved.all(1), moved.any(1))


def test_what_they_are_made_with_is_checked() -> None:
    with pytest.raises(ValueError, match="steps is 0"):
        Metropolis(log_target, steps=0)
    with pytest.raises(ValueError, match=r"scale is -1\.0"):
        Metropolis(log_target, scale=-1.0)
    with pytest.raises(ValueError, match="step_size is 0"):
        Langevin(log_target, step_size=0)


@pytest.mark.parametrize("layer", [Metropolis, Langevin])
@pytest.mark.parametrize("wrong", [lambda x: -x.square().sum(-1, keepdim=True) / 2, lambda x: -x.square().sum() / 2])
def test_a_log_density_of_another_shape_than_the_batch_is_refused(
    layer: Any, wrong: Callable[[Tensor], Tensor]
) -> None:
    flow = StochasticFlow([layer(wrong, steps=2)], StandardNormal(event_dims=1), (2,))
    with pytest.raises(ValueError, match=r"log_density gives the shape .* expected one number per sample, \(5,\)"):
        flow.log_prob(torch.randn(5, 2))
