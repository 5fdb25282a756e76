import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from flowkit.distributions import UniformSphere
from flowkit.models.named.spherical_nsf import spherical_nsf
from tests.flowkit.models.settings import ready


@pytest.mark.parametrize("name", ["spherical_nsf", "spherical_nsf_conditional"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_samples_and_latents_are_unit_vectors(name: str, dtype: torch.dtype) -> None:
    flow = ready(name).to(dtype)
    context = torch.randn(1, 2, dtype=dtype) if "conditional" in name else None
    x = flow.sample(500, context=context)
    z, _ = flow.bijector(x, context)
    for value in (x, z):
        assert (value.norm(dim=-1) - 1).abs().max() < 1e-5
    # Few of the draws lie where a spline is so flat that float32 loses digits.
    error = (flow.bijector.inverse(z, context)[0] - x).abs().amax(-1)
    assert error.median() < (1e-5 if dtype == torch.float32 else 1e-12)


def test_it_starts_as_the_uniform_distribution() -> None:
    flow = spherical_nsf(3)
    x = normalize(torch.randn(50, 3), dim=-1)
    torch.testing.assert_close(flow.log_prob(x), torch.full((50,), -math.log(4 * math.pi)))


def test_a_density_goes_round_the_sphere_without_a_seam() -> None:
    flow = ready("spherical_nsf", deviation=0.5)
    height = torch.linspace(-0.9, 0.9, 19, dtype=torch.float64)

    def at(angle: float) -> Tensor:
        radius = (1 - height.square()).sqrt()
        return torch.stack([radius * math.cos(angle), radius * math.sin(angle), height], -1)

    torch.testing.assert_close(flow.log_prob(at(math.pi - 1e-9)), flow.log_prob(at(-math.pi + 1e-9)), rtol=0, atol=1e-5)


def test_circles_and_points_are_refused() -> None:
    with pytest.raises(ValueError, match="features is 2; it must be at least 3"):
        spherical_nsf(2)


def test_vectors_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"takes vectors of length 1, got \[0.5, 0.5, 0.5\]"):
        spherical_nsf(3).log_prob(torch.full((1, 3), 0.5))


def test_it_finds_a_density_around_a_direction() -> None:
    """Von Mises and Fisher's, of concentration 5 about an axis that is no pole of the layers'."""
    torch.manual_seed(0)
    axis, kappa = normalize(torch.tensor([1.0, -2.0, 0.5]), dim=0), 5.0

    def draw(number: int) -> Tensor:
        # The component along the axis has the distribution function of a truncated exponential.
        u = torch.rand(number)
        along = 1 + torch.log(u + (1 - u) * math.exp(-2 * kappa)) / kappa
        across = torch.randn(number, 3)
        across = normalize(across - (across @ axis)[:, None] * axis, dim=-1)
        return normalize(along[:, None] * axis + (1 - along.square()).clamp_min(0).sqrt()[:, None] * across, dim=-1)

    data, fresh = draw(2000), draw(1000)
    flow = spherical_nsf(3, layers=2, hidden=(16,))
    optimizer = torch.optim.Adam(flow.parameters(), lr=0.05)
    for _ in range(25):
        optimizer.zero_grad()
        (-flow.log_prob(data[torch.randint(2000, (200,))]).mean()).backward()
        optimizer.step()
    known = kappa * (fresh @ axis) + math.log(kappa / (4 * math.pi * math.sinh(kappa)))
    gap = (known - flow.log_prob(fresh)).mean()
    # The uniform distribution is 1.5 nats behind.
    assert -0.02 < gap < 0.4


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("entries", [3, 4, 6])
def test_near_the_pole_of_the_layers_an_untrained_flow_is_uniform(entries: int, dtype: torch.dtype) -> None:
    """There heights round to 1, and what a layer and the next one's inverse say of that cancels."""
    flow = spherical_nsf(entries, layers=2).to(dtype)
    away = torch.randn(50, entries - 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    away /= away.norm(dim=-1, keepdim=True)
    uniform = UniformSphere().log_prob(torch.eye(entries, dtype=dtype)[:1])
    for angle in (1e-2, 1e-3, 2e-4, 1e-5, 1e-9, 0.0):
        x = torch.cat([away * math.sin(angle), torch.full((50, 1), math.cos(angle), dtype=torch.float64)], -1).to(dtype)
        torch.testing.assert_close(flow.log_prob(x), uniform.expand(50), rtol=0, atol=1e-5)
