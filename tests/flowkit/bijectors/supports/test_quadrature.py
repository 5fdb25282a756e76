"""Densities integrate to 1 over their supports, by sums over fine grids in the stated measures."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from flowkit import Chain, Elementwise, Flow, Inverse, LULinear, ScaleShift, StandardNormal
from flowkit.bijector import Bijector
from flowkit.bijectors import (
    Box,
    Concatenate,
    CorrelationCholesky,
    ExponentialMap,
    Moebius,
    Ordered,
    Positive,
    SoftmaxCentred,
    Stereographic,
    StickBreaking,
)
from flowkit.distributions import UniformSphere
from flowkit.models.named.cylindrical_nsf import cylindrical_nsf
from flowkit.models.named.ncsf import ncsf
from flowkit.models.named.nsf import nsf
from flowkit.models.named.spherical_nsf import spherical_nsf
from flowkit.testing.subject import perturb

PI = math.pi


def ready(make: Callable[[], Flow], deviation: float = 0.4) -> Flow:
    torch.manual_seed(3)
    flow = make().double().eval()
    perturb(flow, deviation)
    return flow


def middles(lower: float, upper: float, number: int) -> tuple[Tensor, float]:
    """The middles of so many equal intervals, and their width."""
    width = (upper - lower) / number
    return lower + width * (torch.arange(number, dtype=torch.float64) + 0.5), width


def mass(flow: Flow, points: Tensor, weights: Tensor | float) -> float:
    with torch.no_grad():
        density = flow.log_prob(points).exp()
    # A density that does not vary would integrate to 1 by its normalisation alone.
    assert density.std() > 0.02 * density.mean()
    return float((density * weights).sum())


# Sums over middles are exact to the square of the width; splines have kinks in their densities, which cost a little
# more. A forgotten factor of a measure is off by ten percent and more.
WITHIN = 2e-3


def affine(features: int, support: Bijector[Any, Any], shape: tuple[int, ...]) -> Flow:
    """A normal distribution on a support: shifts, scales and mixtures of all its numbers."""
    layers = [support, Elementwise(ScaleShift(), (features,)), LULinear(features)]
    return Flow(Chain(layers), StandardNormal(), shape)


@pytest.mark.parametrize("context", [False, True])
def test_a_circle(context: bool) -> None:
    flow = ready(lambda: ncsf(1, layers=2, bins=5, hidden=(8,), context_features=2 if context else 0), 1.0)
    angle, width = middles(-PI, PI, 4000)
    given = torch.tensor([0.5, -1.0], dtype=torch.float64) if context else None
    total = (flow.log_prob(angle[:, None], given).exp() * width).sum()
    assert total.item() == pytest.approx(1, abs=WITHIN)


def test_a_torus() -> None:
    flow = ready(lambda: ncsf(2, layers=2, bins=5, hidden=(8,)), 1.0)
    angle, width = middles(-PI, PI, 250)
    assert mass(flow, torch.cartesian_prod(angle, angle), width**2) == pytest.approx(1, abs=WITHIN)


@pytest.mark.parametrize("context", [False, True])
def test_a_cylinder(context: bool) -> None:
    flow = ready(lambda: cylindrical_nsf(1, 1, 2, (8,), bins=5, context_features=2 if context else 0), 0.5)
    angle, width = middles(-PI, PI, 300)
    number, step = middles(-8, 8, 2000)
    points = torch.cartesian_prod(angle, number)
    given = torch.tensor([0.5, -1.0], dtype=torch.float64) if context else None
    with torch.no_grad():
        total = (flow.log_prob(points, given).exp() * width * step).sum()
    assert total.item() == pytest.approx(1, abs=WITHIN)


def sphere_grid(number: int) -> tuple[Tensor, float]:
    """Points of equal shares of the sphere's area: equal steps of the angle and, after Archimedes, of the height."""
    angle, width = middles(-PI, PI, number)
    height, step = middles(-1, 1, number)
    a, h = torch.cartesian_prod(angle, height).unbind(-1)
    radius = (1 - h.square()).sqrt()
    return torch.stack([radius * a.cos(), radius * a.sin(), h], -1), width * step


ON_SPHERES: dict[str, Callable[[], Flow]] = {
    "recursive": lambda: spherical_nsf(3, layers=2, bins=5, hidden=(8,)),
    "Moebius": lambda: Flow(Moebius(3), UniformSphere(), (3,)),
    "exponential map": lambda: Flow(ExponentialMap(3, 5), UniformSphere(), (3,)),
    "stereographic": lambda: nsf(3, layers=2, bins=4, hidden=(8,), support=Stereographic()),
}


@pytest.mark.parametrize("make", ON_SPHERES.values(), ids=ON_SPHERES)
def test_the_sphere(make: Callable[[], Flow]) -> None:
    points, area = sphere_grid(250)
    assert mass(ready(make), points, area) == pytest.approx(1, abs=WITHIN)


def test_the_sphere_by_a_numerical_inverse() -> None:
    flow = ready(lambda: Flow(Inverse(ExponentialMap(3, 5)), UniformSphere(), (3,)))
    # Its density has no kinks, so that a coarser grid does.
    points, area = sphere_grid(60)
    assert mass(flow, points, area) == pytest.approx(1, abs=WITHIN)


def test_the_sphere_in_four_dimensions() -> None:
    """S^3, whose area in terms of an angle and two heights is not constant: sqrt(1 - r^2) for the last."""
    flow = ready(lambda: spherical_nsf(4, layers=2, bins=4, hidden=(8,)))
    angle, width = middles(-PI, PI, 48)
    height, step = middles(-1, 1, 48)
    a, h, g = torch.cartesian_prod(angle, height, height).unbind(-1)
    outer, inner = (1 - g.square()).sqrt(), (1 - h.square()).sqrt()
    points = torch.stack([outer * inner * a.cos(), outer * inner * a.sin(), outer * h, g], -1)
    assert mass(flow, points, outer * width * step**2) == pytest.approx(1, abs=4 * WITHIN)


@pytest.mark.parametrize("support", [StickBreaking, SoftmaxCentred])
def test_the_simplex(support: Callable[[], Bijector[Any, Any]]) -> None:
    flow = ready(lambda: nsf(3, layers=2, bins=4, hidden=(8,), support=support()))
    # By log-odds: the densities peak, and have infinite slopes, in the corners.
    odds, width = middles(-16, 16, 300)
    a, b = torch.cartesian_prod(odds, odds).unbind(-1)
    first, left, of_rest, last = a.sigmoid(), (-a).sigmoid(), b.sigmoid(), (-b).sigmoid()
    points = torch.stack([first, left * of_rest, left * last], -1)
    weights = width**2 * first * left * of_rest * last * left
    assert mass(flow, points, weights) == pytest.approx(1, abs=WITHIN)


def test_ordered_vectors() -> None:
    flow = ready(lambda: affine(2, Ordered(), (2,)))
    first, width = middles(-9, 9, 300)
    step, size = middles(0, 14, 500)
    a, b = torch.cartesian_prod(first, step).unbind(-1)
    assert mass(flow, torch.stack([a, a + b], -1), width * size) == pytest.approx(1, abs=WITHIN)


def test_correlation_matrices() -> None:
    """Of three variables: one correlation, and a row in a disc."""
    flow = ready(lambda: affine(3, CorrelationCholesky(), (3, 3)), 0.2)
    first, width = middles(-1, 1, 48)
    radius, step = middles(0, 1, 48)
    angle, turn = middles(-PI, PI, 48)
    r, rho, a = torch.cartesian_prod(first, radius, angle).unbind(-1)
    zero, one = torch.zeros_like(r), torch.ones_like(r)
    entries = [one, zero, zero, r, (1 - r * r).sqrt(), zero, rho * a.cos(), rho * a.sin(), (1 - rho * rho).sqrt()]
    points = torch.stack(entries, -1).unflatten(-1, (3, 3))
    assert mass(flow, points, rho * width * step * turn) == pytest.approx(1, abs=4 * WITHIN)


def test_a_box_and_positive_numbers() -> None:
    box = ready(lambda: affine(2, Box(torch.tensor([0.0, -1.0]), torch.tensor([1.0, 4.0])), (2,)))
    first, width = middles(0, 1, 400)
    second, size = middles(-1, 4, 400)
    assert mass(box, torch.cartesian_prod(first, second), width * size) == pytest.approx(1, abs=WITHIN)
    positive = ready(lambda: affine(1, Positive(), (1,)))
    logarithm, size = middles(-12, 12, 4000)
    x = logarithm.exp()
    assert mass(positive, x[:, None], size * x) == pytest.approx(1, abs=WITHIN)


def test_a_product() -> None:
    flow = ready(lambda: affine(2, Concatenate([Positive(), StickBreaking()], [1, 2]), (3,)))
    logarithm, size = middles(-10, 10, 300)
    share, width = middles(0, 1, 300)
    a, p = torch.cartesian_prod(logarithm, share).unbind(-1)
    assert mass(flow, torch.stack([a.exp(), p, 1 - p], -1), size * width * a.exp()) == pytest.approx(1, abs=WITHIN)
