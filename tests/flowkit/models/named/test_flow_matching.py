"""A flow trained by flow matching is a density: it integrates to one, and it is a good one."""

import math

import pytest
import torch
from torch import Tensor

from flowkit import Flow
from flowkit.losses import SinkhornTransport, conditional_flow_matching
from flowkit.models.named.flow_matching import flow_matching

STEPS = 250
REACH, POINTS = 4.0, 81


def moons(number: int) -> tuple[Tensor, Tensor]:
    """Two half circles of variance about 1, and which of them each point is on."""
    which = torch.randint(2, (number,))
    angle = math.pi * torch.rand(number)
    sign = 1 - 2.0 * which
    x = torch.stack([sign * angle.cos() - 0.5 * sign, sign * angle.sin() - 0.25 * sign], -1)
    return 1.2 * (x + 0.08 * torch.randn(number, 2)), which.float()[:, None]


@pytest.fixture(scope="module")
def trained() -> Flow:
    torch.manual_seed(0)
    x, which = moons(4000)
    flow = flow_matching(2, hidden=(48, 48), context_features=1, steps=8, standardize=x)
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    transport = SinkhornTransport(iterations=10)
    for _ in range(STEPS):
        batch = torch.randint(len(x), (256,))
        optimizer.zero_grad()
        conditional_flow_matching(flow, x[batch], which[batch], transport=transport).backward()
        optimizer.step()
        schedule.step()
    return flow.eval()


@pytest.mark.parametrize("which", [0.0, 1.0])
def test_the_density_integrates_to_one(trained: Flow, which: float) -> None:
    line = torch.linspace(-REACH, REACH, POINTS)
    points = torch.cartesian_prod(line, line)
    with torch.no_grad():
        density = trained.log_prob(points, torch.tensor([[which]])).exp()
    # Moons of a width of 0.1 on a grid of 0.1.
    assert float(density.sum() * (line[1] - line[0]) ** 2) == pytest.approx(1, abs=0.02)


def test_it_is_far_better_than_the_best_normal(trained: Flow) -> None:
    torch.manual_seed(1)
    x, which = moons(2000)
    with torch.no_grad():
        got = trained.log_prob(x, which).mean().item()
    normals = 0.0
    for side in (0.0, 1.0):
        part = x[which[:, 0] == side]
        normal = torch.distributions.MultivariateNormal(part.mean(0), torch.cov(part.T))
        normals += normal.log_prob(part).sum().item() / len(x)
    assert got > normals + 0.5


def test_its_samples_are_on_the_moon_that_was_asked_for(trained: Flow) -> None:
    drawn = trained.sample((500,), context=torch.tensor([[0.0], [1.0]]), generator=torch.Generator().manual_seed(0))
    torch.manual_seed(2)
    x, which = moons(4000)
    for side in (0, 1):
        nearest = torch.cdist(drawn[:, side], x[which[:, 0] == side]).amin(1)
        assert nearest.median() < 0.1


def test_invalid_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="steps is 0; it must be at least 1"):
        flow_matching(2, steps=0)
    with pytest.raises(ValueError, match="features is 0"):
        flow_matching(0, steps=3)
