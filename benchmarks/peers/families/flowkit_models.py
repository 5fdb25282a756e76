"""The families in flowkit: those it has by name, or layers of one kind.

================ =====================================================================================================
gaussianization  mixtures have weights; rotations are products of reflections
planar, radial   start as the identity
residual         the unbiased estimate of the log-determinant in training, the exact one in evaluation; a shift and a
                 scale per feature before each block; the inverse by Newton's method
ncsf             networks see cosines and sines; a phase for each angle
gin              the log-scale is 2 tanh(a / 2) less the mean
linear_spline    heights of 0.001 at least
quadratic_spline 17 numbers for 8 bins: derivatives at the ends are free
cubic_spline     the inverse is found numerically
================ =====================================================================================================
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from torch import nn

from benchmarks.density.architectures import Coupling as CouplingSettings
from benchmarks.density.architectures import Event, Spline
from benchmarks.peers.families.architectures import (
    LIPSCHITZ,
    Bernstein,
    Blocks,
    Circular,
    Integrals,
    Mixtures,
    Monotonic,
    Ranked,
    Squares,
    Stack,
)
from benchmarks.peers.flowkit_models import couplings, halves
from benchmarks.peers.model import Model
from flowkit import MLP, Affine, Bijector, Chain, Elementwise, Flow, Planar, Radial, Residual, StandardNormal
from flowkit import models as named
from flowkit.bijectors import RussianRouletteLogDet, Sylvester, VolumePreservingCoupling
from flowkit.nn import LipschitzMLP
from flowkit.transforms import CubicSpline, LinearSpline, QuadraticSpline

__all__ = [
    "bnaf",
    "bpf",
    "cubic_spline",
    "gaussianization",
    "gin",
    "linear_spline",
    "naf",
    "ncsf",
    "planar",
    "quadratic_spline",
    "radial",
    "residual",
    "sospf",
    "sylvester",
    "unaf",
]


def naf(event: Event, settings: Monotonic) -> Model:
    return _model(named.naf(*event, **asdict(settings)))


def unaf(event: Event, settings: Integrals) -> Model:
    return _model(named.unaf(*event, **asdict(settings)))


def bnaf(event: Event, settings: Blocks) -> Model:
    return _model(named.bnaf(*event, **asdict(settings)))


def sospf(event: Event, settings: Squares) -> Model:
    return _model(named.sospf(*event, **asdict(settings)))


def bpf(event: Event, settings: Bernstein) -> Model:
    return _model(named.bpf(*event, **asdict(settings)))


def gaussianization(event: Event, settings: Mixtures) -> Model:
    return _model(named.gaussianization(*event, **asdict(settings)))


def ncsf(event: Event, settings: Circular) -> Model:
    return _model(named.ncsf(*event, **asdict(settings)))


def residual(event: Event, settings: Stack) -> Model:
    (features,) = event
    parts: list[Bijector[Any, Any]] = []
    for _ in range(settings.layers):
        network = LipschitzMLP(features, settings.hidden, coefficient=LIPSCHITZ ** (len(settings.hidden) + 1))
        parts += [Elementwise(Affine(), event), Residual(network, RussianRouletteLogDet())]
    return _model(Flow(Chain(parts), StandardNormal(), event))


def planar(event: Event, settings: Stack) -> Model:
    return _stack(event, settings.layers, Planar)


def radial(event: Event, settings: Stack) -> Model:
    return _stack(event, settings.layers, Radial)


def sylvester(event: Event, settings: Ranked) -> Model:
    return _stack(event, settings.layers, lambda features: Sylvester(features, rank=features))


def gin(event: Event, settings: CouplingSettings) -> Model:
    (features,) = event
    parts = []
    for kept in halves(features, settings.layers):
        network = MLP(int(kept.sum()), 2 * int((~kept).sum()), settings.hidden)
        parts.append(VolumePreservingCoupling(features, network, event_dims=1, mask=kept))
    return _model(Flow(Chain(parts), StandardNormal(), event))


def linear_spline(event: Event, settings: Spline) -> Model:
    return couplings(event, settings, LinearSpline(settings.bins, settings.bound))


def quadratic_spline(event: Event, settings: Spline) -> Model:
    return couplings(event, settings, QuadraticSpline(settings.bins, settings.bound))


def cubic_spline(event: Event, settings: Spline) -> Model:
    return couplings(event, settings, CubicSpline(settings.bins, settings.bound))


def _stack(event: Event, layers: int, make: Callable[[int], nn.Module]) -> Model:
    parts: list[Any] = [make(*event) for _ in range(layers)]
    return _model(Flow(Chain(parts), StandardNormal(), event))


def _model(flow: Flow) -> Model:
    return Model(flow, flow.log_prob, flow.sample)
