"""The conditional models in flowkit: those it has by name.

================== =================================================================================================
maf                the log-scale is 2 tanh(a / 2); each network's first layer sees the context
nsf                widths, heights and slopes of 0.001 at least; the first layer sees the context
nsf_autoregressive the same
realnvp            the log-scale is 2 tanh(a / 2); the first layer sees the context
================== =================================================================================================
"""

from benchmarks.density import flowkit_models as known
from benchmarks.density.architectures import Coupling, Density, Event, Masked, Spline
from benchmarks.peers.model import Model
from flowkit import Flow

__all__ = ["maf", "nsf", "nsf_autoregressive", "realnvp"]


def maf(event: Event, settings: Masked, context: int) -> Model:
    return _model(known.maf(event, settings, context))


def nsf(event: Event, settings: Spline, context: int) -> Model:
    return _model(known.nsf(event, settings, context))


def nsf_autoregressive(event: Event, settings: Spline, context: int) -> Model:
    return _model(known.nsf_autoregressive(event, settings, context))


def realnvp(event: Event, settings: Coupling, context: int) -> Model:
    return _model(known.realnvp(event, settings, context))


def _model(density: Density) -> Model:
    flow = density.module
    assert isinstance(flow, Flow)
    return Model(flow, flow.log_prob, lambda number, context: flow.sample(number, context=context))
