"""The models in flowkit.

====== =============================================================================================================
spline widths, heights and slopes of 0.001 at least
affine the scale is the exponential of the network's output, unbounded
maf    the log-scale is 2 tanh(a / 2)
glow   the latents that leave depend on those that go on, by one more 3x3 convolution per level; actnorms in networks
====== =============================================================================================================
"""

import torch
from torch import nn

from benchmarks.density import flowkit_models as known
from benchmarks.density.architectures import Coupling as CouplingSettings
from benchmarks.density.architectures import Density, Event, Glow, Masked, Spline
from benchmarks.peers.model import Model
from flowkit import MLP, Chain, Coupling, Flow, RationalQuadraticSpline, ScaleShift, StandardNormal, Transform

__all__ = ["affine", "glow", "maf", "spline"]


def spline(event: Event, settings: Spline) -> Model:
    return _couplings(event, settings, RationalQuadraticSpline(settings.bins, settings.bound))


def affine(event: Event, settings: CouplingSettings) -> Model:
    return _couplings(event, settings, ScaleShift(nn.Identity()))


def maf(event: Event, settings: Masked) -> Model:
    return _model(known.maf(event, settings))


def glow(event: Event, settings: Glow) -> Model:
    return _model(known.glow(event, settings))


def _couplings(event: Event, settings: Spline | CouplingSettings, transform: Transform) -> Model:
    (features,) = event
    parts = []
    for layer in range(settings.layers):
        kept = (torch.arange(features) < features // 2) == (layer % 2 == 0)
        outputs = transform.parameters_per_element * int((~kept).sum())
        network = MLP(int(kept.sum()), outputs, settings.hidden)
        parts.append(Coupling(features, network, transform, event_dims=1, mask=kept))
    flow = Flow(Chain(parts), StandardNormal(), event)
    return Model(flow, flow.log_prob, flow.sample)


def _model(density: Density) -> Model:
    flow = density.module
    assert isinstance(flow, Flow)
    return Model(flow, density.log_prob, flow.sample, density.start)
