"""The models in zuko.

========== =========================================================================================================
spline     soft bounds on the logits of bins and slopes, its default, in place of least widths, heights and slopes
affine     the log-scale is a / (1 + abs(a) / 6.9), its default
maf        the same log-scale; every second layer's masks have the reversed order, so that no feature moves
glow       none, and no plain one: it has flows of vectors only
========== =========================================================================================================
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from zuko.distributions import DiagNormal
from zuko.flows import Flow, GeneralCouplingTransform, UnconditionalDistribution
from zuko.transforms import MonotonicAffineTransform, MonotonicRQSTransform

from benchmarks.density import zuko_models as known
from benchmarks.density.architectures import Coupling, Event, Masked, Spline
from benchmarks.peers.model import Model

__all__ = ["affine", "maf", "spline"]


def spline(event: Event, settings: Spline) -> Model:
    univariate = partial(_spline, bound=settings.bound)
    shapes = [(settings.bins,), (settings.bins,), (settings.bins - 1,)]
    return _couplings(event, settings, univariate=univariate, shapes=shapes)


def affine(event: Event, settings: Coupling) -> Model:
    return _couplings(event, settings, univariate=MonotonicAffineTransform, shapes=[(), ()])


def maf(event: Event, settings: Masked) -> Model:
    return _model(known.maf(event, settings).module)


def _spline(*parameters: Tensor, bound: float) -> MonotonicRQSTransform:
    return MonotonicRQSTransform(*parameters, bound=bound)


def _couplings(event: Event, settings: Spline | Coupling, **univariate: Any) -> Model:
    (features,) = event
    first = torch.arange(features) < features // 2
    couplings = [
        # A mask is true where a feature is kept.
        GeneralCouplingTransform(
            features, mask=~first if layer % 2 else first, hidden_features=settings.hidden, **univariate
        )
        for layer in range(settings.layers)
    ]
    base = UnconditionalDistribution(DiagNormal, torch.zeros(features), torch.ones(features), buffer=True)
    return _model(Flow(couplings, base))


def _model(flow: Any) -> Model:
    return Model(flow, lambda x: flow().log_prob(x), lambda number: flow().sample((number,)))
