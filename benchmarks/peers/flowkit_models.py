"""The models in flowkit.

========== =========================================================================================================
spline     widths, heights and slopes of 0.001 at least
affine     the scale is the exponential of the network's output, unbounded
maf        the log-scale is 2 tanh(a / 2)
glow       the latents that leave depend on those that go on, by one more 3x3 convolution per level
plain_glow the same, but that the last latents are standard normal
========== =========================================================================================================
"""

import torch
from torch import Tensor, nn

from benchmarks.density import flowkit_models as known
from benchmarks.density.architectures import Coupling as CouplingSettings
from benchmarks.density.architectures import Density, Event, Glow, Masked, Spline
from benchmarks.peers.model import Model
from flowkit import (
    MLP,
    ActNorm,
    Bijector,
    Chain,
    Coupling,
    Factorised,
    FactorOut,
    Flow,
    LUConv1x1,
    MultiScale,
    RationalQuadraticSpline,
    ScaleShift,
    Squeeze,
    StandardNormal,
    ZeroConv2d,
    initialize,
)
from flowkit.nn import Conv2d
from flowkit.transforms import Transform

__all__ = ["affine", "couplings", "glow", "halves", "maf", "plain_glow", "spline"]


def spline(event: Event, settings: Spline) -> Model:
    return couplings(event, settings, RationalQuadraticSpline(settings.bins, settings.bound))


def affine(event: Event, settings: CouplingSettings) -> Model:
    return couplings(event, settings, ScaleShift(nn.Identity()))


def maf(event: Event, settings: Masked) -> Model:
    return _model(known.maf(event, settings))


def glow(event: Event, settings: Glow) -> Model:
    return _model(known.glow(event, settings))


def plain_glow(event: Event, settings: Glow) -> Model:
    channels = event[0]
    levels, cuts, bases = [], [], []
    for level in range(settings.levels):
        channels *= 4
        steps = [part for _ in range(settings.steps) for part in _plain_step(channels, settings.hidden)]
        levels.append(Chain([Squeeze(), *steps]))
        bases.append(StandardNormal(event_dims=3))
        if level < settings.levels - 1:
            kept = channels // 2
            cuts.append(FactorOut(channels, ZeroConv2d(kept, 2 * (channels - kept))))
            channels = kept
    flow = Flow(MultiScale(levels, cuts), Factorised(bases), event)
    return Model(flow, flow.log_prob, flow.sample, start=lambda x: initialize(flow.bijector, x))


def _plain_step(channels: int, hidden: int) -> list[Bijector[Tensor, Tensor]]:
    kept = channels // 2
    network = _plain_network(kept, 2 * (channels - kept), hidden)
    return [ActNorm(channels), LUConv1x1(channels), Coupling(channels, network)]


def _plain_network(inputs: int, outputs: int, hidden: int) -> nn.Module:
    """Convolutions and ReLUs alone; the last convolution starts at zero."""
    last = Conv2d(hidden, outputs, 3)
    for parameter in last.parameters():
        nn.init.zeros_(parameter)
    # In place: no gradient needs what a convolution gave.
    return nn.Sequential(
        Conv2d(inputs, hidden, 3),
        nn.ReLU(inplace=True),
        Conv2d(hidden, hidden, 1),
        nn.ReLU(inplace=True),
        last,
    )


def halves(features: int, layers: int) -> list[Tensor]:
    """What each layer keeps: the first half and the second in turn."""
    first = torch.arange(features) < features // 2
    return [~first if layer % 2 else first for layer in range(layers)]


def couplings(event: Event, settings: Spline | CouplingSettings, transform: Transform) -> Model:
    (features,) = event
    parts = []
    for kept in halves(features, settings.layers):
        outputs = transform.parameters_per_element * int((~kept).sum())
        network = MLP(int(kept.sum()), outputs, settings.hidden)
        parts.append(Coupling(features, network, transform, event_dims=1, mask=kept))
    flow = Flow(Chain(parts), StandardNormal(), event)
    return Model(flow, flow.log_prob, flow.sample)


def _model(density: Density) -> Model:
    flow = density.module
    assert isinstance(flow, Flow)
    return Model(flow, density.log_prob, flow.sample, density.start)
