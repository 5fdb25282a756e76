"""The models in normflows.

========== =========================================================================================================
spline     nothing differs: widths, heights and slopes of 0.001 at least
affine     the scale is the exponential of the network's output, unbounded
maf        the scale is sigmoid(a + 2) + 0.001; the first of its MADE's two hidden layers is not activated
glow       the scale is sigmoid(a + 2); a learned mean and deviation for each latent
plain_glow the same
========== =========================================================================================================

Samples come with their log-densities, which it always computes.
"""

from functools import partial

import normflows as nf
import torch
from normflows.flows.neural_spline.coupling import PiecewiseRationalQuadraticCoupling
from torch import nn

from benchmarks.density import normflows_models as known
from benchmarks.density.architectures import Coupling, Density, Event, Glow, Masked, Spline
from benchmarks.peers.model import Model

__all__ = ["affine", "glow", "maf", "plain_glow", "spline"]


def spline(event: Event, settings: Spline) -> Model:
    (features,) = event
    layers: list[nn.Module] = []
    for layer in range(settings.layers):
        coupling = PiecewiseRationalQuadraticCoupling(
            ((torch.arange(features) < features // 2) == (layer % 2 == 1)).int(),
            partial(known.MLP, hidden=settings.hidden),
            num_bins=settings.bins,
            tails="linear",
            tail_bound=settings.bound,
        )
        # From the data to the latents, as the wrappers of normflows have it, whose networks are residual.
        layers.append(nf.flows.Reverse(coupling))
    return _model(layers, features)


def affine(event: Event, settings: Coupling) -> Model:
    (features,) = event
    layers: list[nn.Module] = []
    for layer in range(settings.layers):
        # The first of its two parts has the odd feature.
        kept, changed = ((features + 1) // 2, features // 2)[:: -1 if layer % 2 else 1]
        network = nf.nets.MLP([kept, *settings.hidden, 2 * changed], init_zeros=True)
        split = "channel_inv" if layer % 2 else "channel"
        layers.append(nf.flows.AffineCouplingBlock(network, scale_map="exp", split_mode=split))
    return _model(layers, features)


def maf(event: Event, settings: Masked) -> Model:
    (features,) = event
    layers: list[nn.Module] = []
    for _ in range(settings.layers):
        # Its MADE has a first layer that is not counted as a block.
        layer = nf.flows.MaskedAffineAutoregressive(
            features, settings.hidden[0], num_blocks=len(settings.hidden) - 1, use_residual_blocks=False
        )
        # One pass from the latents to the data is normflows' choice; MAF has it the other way round.
        layers += [nf.flows.Reverse(layer), known.reversal(features)]
    return _model(layers, features)


def glow(event: Event, settings: Glow) -> Model:
    return _multiscale(known.glow(event, settings))


def plain_glow(event: Event, settings: Glow) -> Model:
    return _multiscale(known.glow(event, settings, net_actnorm=False))


def _multiscale(density: Density) -> Model:
    flow = density.module
    assert isinstance(flow, nf.MultiscaleFlow)
    return Model(flow, density.log_prob, lambda number: flow.sample(number)[0])


def _model(layers: list[nn.Module], features: int) -> Model:
    """Of layers in the order from the data to the latents; normflows counts from the latents."""
    flow = nf.NormalizingFlow(nf.distributions.DiagGaussian(features, trainable=False), layers[::-1])
    return Model(flow, flow.log_prob, lambda number: flow.sample(number)[0])
