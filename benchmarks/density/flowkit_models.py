"""The models in flowkit: those it has by name, with the architecture's figures."""

from dataclasses import asdict

from benchmarks.density.architectures import Circular, Coupling, Density, Event, Glow, Masked, Spline
from flowkit import Flow, initialize
from flowkit import models as named

__all__ = ["glow", "maf", "ncsf", "nsf", "nsf_autoregressive", "realnvp", "spherical_nsf"]


def _density(flow: Flow) -> Density:
    return Density(flow, flow.log_prob)


def maf(event: Event, settings: Masked, context: int = 0) -> Density:
    (features,) = event
    return _density(named.maf(features, **asdict(settings), context_features=context))


def realnvp(event: Event, settings: Coupling, context: int = 0) -> Density:
    (features,) = event
    return _density(named.realnvp(features, **asdict(settings), context_features=context))


def nsf(event: Event, settings: Spline, context: int = 0) -> Density:
    (features,) = event
    return _density(named.nsf(features, **asdict(settings), context_features=context))


def nsf_autoregressive(event: Event, settings: Spline, context: int = 0) -> Density:
    (features,) = event
    return _density(named.nsf(features, autoregressive=True, **asdict(settings), context_features=context))


def ncsf(event: Event, settings: Circular) -> Density:
    (features,) = event
    return _density(named.ncsf(features, **asdict(settings)))


def spherical_nsf(event: Event, settings: Circular) -> Density:
    (features,) = event
    return _density(named.spherical_nsf(features, **asdict(settings)))


def glow(event: Event, settings: Glow) -> Density:
    flow = named.glow(event, **asdict(settings))
    return Density(flow, flow.log_prob, start=lambda x: initialize(flow.bijector, x))
