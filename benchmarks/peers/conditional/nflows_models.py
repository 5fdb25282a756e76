"""The conditional models in nflows.

================== =================================================================================================
maf                the scale is sigmoid(a + 2) + 0.001; the context goes through a linear layer and a ReLU of its own,
                   and is added behind the first layer
nsf                nothing differs: widths, heights and slopes of 0.001 at least; the context is concatenated
nsf_autoregressive the same, with the context as in maf
realnvp            the scale is sigmoid(a + 2) + 0.001, its default; the context is concatenated
================== =================================================================================================

Its matrices have an offset, and a random permutation before them. For samples it repeats the context, row by row.
"""

from typing import Any

from torch import Tensor

from benchmarks.density import nflows_models as known
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
        # One context gives 1 x number x event.
        return flow.sample(number, context).squeeze(0)

    return Model(flow, density.log_prob, sample)
