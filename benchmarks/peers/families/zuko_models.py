"""The families in zuko, each by its name.

=============== ======================================================================================================
naf             networks see a signal of 16 numbers, and have weights of their own for each feature; a soft bound
                between layers
unaf            the same of its integrands; exponentials of soft-clipped networks
sospf           a mean of the squares in place of a sum; a soft bound between layers
bpf             nothing differs
gaussianization mixtures of equal weights; rotations are matrix exponentials
ncsf            masked networks in two passes, which see the angles themselves
=============== ======================================================================================================

There are no planar, radial, Sylvester, residual or volume-preserving layers in it, and its splines are rational
quadratic.
"""

from typing import Any

from zuko.flows import BPF, GF, NAF, SOSPF, UNAF

from benchmarks.density import zuko_models as known
from benchmarks.density.architectures import Event
from benchmarks.peers.families.architectures import Bernstein, Circular, Integrals, Mixtures, Monotonic, Squares
from benchmarks.peers.model import Model

__all__ = ["bpf", "gaussianization", "naf", "ncsf", "sospf", "unaf"]


def naf(event: Event, settings: Monotonic) -> Model:
    network = {"hidden_features": [settings.units] * settings.depth}
    return _model(NAF(*event, transforms=settings.layers, network=network, hidden_features=settings.hidden))


def unaf(event: Event, settings: Integrals) -> Model:
    network = {"hidden_features": settings.integrand}
    flow = UNAF(
        *event,
        transforms=settings.layers,
        signal=settings.signal,
        network=network,
        hidden_features=settings.hidden,
    )
    return _model(flow)


def sospf(event: Event, settings: Squares) -> Model:
    flow = SOSPF(
        *event,
        degree=settings.degree,
        polynomials=settings.polynomials,
        transforms=settings.layers,
        hidden_features=settings.hidden,
    )
    return _model(flow)


def bpf(event: Event, settings: Bernstein) -> Model:
    return _model(BPF(*event, degree=settings.degree, transforms=settings.layers, hidden_features=settings.hidden))


def gaussianization(event: Event, settings: Mixtures) -> Model:
    return _model(GF(*event, transforms=settings.layers, components=settings.components))


def ncsf(event: Event, settings: Circular) -> Model:
    return _model(known.ncsf(event, settings).module)


def _model(flow: Any) -> Model:
    return Model(flow, lambda x: flow().log_prob(x), lambda number: flow().sample((number,)))
