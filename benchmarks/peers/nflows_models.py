"""The models in nflows.

========== =========================================================================================================
spline     nothing differs: widths, heights and slopes of 0.001 at least
affine     the scale is sigmoid(a + 2) + 0.001, its default
maf        the scale is sigmoid(a + 2) + 0.001
glow       none: it has no actnorm for networks, which are written here
plain_glow put together of its parts; latents that leave are standard normal
========== =========================================================================================================
"""

from typing import Any

import torch
from nflows.distributions import StandardNormal
from nflows.flows import Flow
from nflows.transforms import (
    AffineCouplingTransform,
    CompositeTransform,
    PiecewiseRationalQuadraticCouplingTransform,
)
from torch import Tensor, nn

from benchmarks.density import nflows_models as known
from benchmarks.density.architectures import Coupling, Event, Glow, Masked, Spline
from benchmarks.peers.model import Model

__all__ = ["affine", "couplings", "maf", "plain_glow", "spline"]


def spline(event: Event, settings: Spline) -> Model:
    return couplings(event, settings, PiecewiseRationalQuadraticCouplingTransform)


def couplings(event: Event, settings: Spline, coupling: Any) -> Model:
    """Couplings by one of the library's splines."""
    parts = [
        coupling(
            _changed(event, layer),
            lambda inputs, outputs: known.MLP(inputs, outputs, settings.hidden),
            num_bins=settings.bins,
            tails="linear",
            tail_bound=settings.bound,
        )
        for layer in range(settings.layers)
    ]
    return _model(Flow(CompositeTransform(parts), StandardNormal(event)))


def affine(event: Event, settings: Coupling) -> Model:
    couplings = [
        AffineCouplingTransform(
            _changed(event, layer), lambda inputs, outputs: known.MLP(inputs, outputs, settings.hidden)
        )
        for layer in range(settings.layers)
    ]
    return _model(Flow(CompositeTransform(couplings), StandardNormal(event)))


def maf(event: Event, settings: Masked) -> Model:
    return _model(known.maf(event, settings).module)


def plain_glow(event: Event, settings: Glow) -> Model:
    return _model(known.glow(event, settings).module)


def _changed(event: Event, layer: int) -> Tensor:
    """1 for the features that a coupling changes: the second half, then the first."""
    (features,) = event
    return ((torch.arange(features) < features // 2) == (layer % 2 == 1)).int()


def _model(flow: nn.Module) -> Model:
    assert isinstance(flow, Flow)
    return Model(flow, flow.log_prob, flow.sample)
