"""The conditional models in zuko.

================== =================================================================================================
maf                the log-scale is a / (1 + abs(a) / 6.9), its default; every second layer's masks have the reversed
                   order, so that no feature moves; the context is concatenated with the data
nsf                soft bounds on the logits of bins and slopes, its default; matrices without an offset
nsf_autoregressive the same, and every second layer's masks have the reversed order
realnvp            the same log-scale as maf; matrices without an offset
================== =================================================================================================
"""

from typing import Any

from torch import Tensor

from benchmarks.density import zuko_models as known
from benchmarks.density.architectures import Coupling, Density, Event, Masked, Spline
from benchmarks.peers.model import Model

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
    flow: Any = density.module

    def sample(number: int, context: Tensor) -> Tensor:
        return flow(context.squeeze(0)).sample((number,))

    return Model(flow, density.log_prob, sample)
