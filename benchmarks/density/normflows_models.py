"""The models in normflows."""

import math
from functools import partial

import normflows as nf
import torch
from normflows.distributions.base import Uniform
from normflows.flows.neural_spline.autoregressive import MaskedPiecewiseRationalQuadraticAutoregressive
from normflows.flows.neural_spline.coupling import PiecewiseRationalQuadraticCoupling
from torch import Tensor, nn

from benchmarks.density.architectures import Circular, Coupling, Density, Event, Glow, Masked, Spline

__all__ = ["MLP", "circular_flow", "glow", "maf", "ncsf", "nsf", "nsf_autoregressive", "realnvp", "reversal"]


class MLP(nn.Module):
    """normflows' own, called as its spline couplings call networks."""

    def __init__(self, inputs: int, outputs: int, hidden: tuple[int, int]) -> None:
        super().__init__()
        self.network = nf.nets.MLP([inputs, *hidden, outputs])
        # Spline couplings divide the widths' and heights' logits by its root.
        self.hidden_features = hidden[-1]

    def forward(self, x: Tensor, context: None = None) -> Tensor:
        return self.network(x)


def _density(layers: list[nn.Module], features: int) -> Density:
    """Of layers in the order from the data to the latents; normflows counts from the latents."""
    flow = nf.NormalizingFlow(nf.distributions.DiagGaussian(features, trainable=False), layers[::-1])
    return Density(flow, flow.log_prob)


def reversal(features: int) -> nn.Module:
    """normflows permutes at random or swaps halves: here it is given the reversal of the others."""
    layer = nf.flows.Permute(features)
    layer.perm = layer.inv_perm = torch.arange(features).flip(0)
    return layer


def maf(event: Event, settings: Masked) -> Density:
    (features,) = event
    layers: list[nn.Module] = []
    for _ in range(settings.layers):
        # Its MADE has a first layer that is not activated, so that two hidden layers are two blocks after that.
        affine = nf.flows.MaskedAffineAutoregressive(
            features, settings.hidden[0], num_blocks=len(settings.hidden), use_residual_blocks=False
        )
        # One pass from the latents to the data is normflows' choice; MAF has it the other way round.
        layers += [nf.flows.Reverse(affine), reversal(features)]
    return _density(layers, features)


def realnvp(event: Event, settings: Coupling) -> Density:
    (features,) = event
    layers: list[nn.Module] = []
    for layer in range(settings.layers):
        # The first of two parts has the odd feature.
        kept, changed = (features // 2, (features + 1) // 2)[:: 1 if layer % 2 else -1]
        network = nf.nets.MLP([kept, *settings.hidden, 2 * changed], init_zeros=True)
        # It splits vectors in halves; mixed by matrices, they are as good as the even and the odd features.
        split = "channel_inv" if layer % 2 else "channel"
        coupling = nf.flows.AffineCouplingBlock(network, scale_map="exp", split_mode=split)
        layers += [coupling, nf.flows.LULinearPermute(features)]
    return _density(layers, features)


def nsf(event: Event, settings: Spline) -> Density:
    (features,) = event
    layers: list[nn.Module] = []
    for layer in range(settings.layers):
        spline = PiecewiseRationalQuadraticCoupling(
            (torch.arange(features) % 2 != layer % 2).int(),
            partial(MLP, hidden=settings.hidden),
            num_bins=settings.bins,
            tails="linear",
            tail_bound=settings.bound,
        )
        # From the data to the latents, as the wrappers of normflows have it, whose networks are residual.
        layers += [nf.flows.LULinearPermute(features), nf.flows.Reverse(spline)]
    return _density(layers, features)


def nsf_autoregressive(event: Event, settings: Spline) -> Density:
    (features,) = event
    layers: list[nn.Module] = []
    for _ in range(settings.layers):
        spline = MaskedPiecewiseRationalQuadraticAutoregressive(
            features,
            settings.hidden[0],
            num_bins=settings.bins,
            tails="linear",
            tail_bound=settings.bound,
            num_blocks=len(settings.hidden),
            use_residual_blocks=False,
        )
        layers += [nf.flows.LULinearPermute(features), nf.flows.Reverse(spline)]
    return _density(layers, features)


def glow(event: Event, settings: Glow, net_actnorm: bool = True) -> Density:
    channels, height, width = event
    bases, flows, merges = [], [], []
    for level in range(settings.levels):
        channels, height, width = 4 * channels, height // 2, width // 2
        steps = [nf.flows.GlowBlock(channels, settings.hidden, net_actnorm=net_actnorm) for _ in range(settings.steps)]
        flows.append([*steps, nf.flows.Squeeze()])
        if level < settings.levels - 1:
            merges.append(nf.flows.Merge())
            channels //= 2
        # A mean and a deviation for each latent: it has no latents that depend on those that go on.
        bases.append(nf.distributions.DiagGaussian((channels, height, width)))
    # It counts levels from the last.
    flow = nf.MultiscaleFlow(bases[::-1], flows[::-1], merges[::-1], class_cond=False)
    return Density(flow, lambda x: flow.log_prob(x, None))


def ncsf(event: Event, settings: Circular) -> Density | None:
    # Its couplings need two angles.
    if event == (1,):
        return None
    flow = circular_flow(event, settings)
    return Density(flow, flow.log_prob)


def circular_flow(event: Event, settings: Circular) -> nf.NormalizingFlow:
    """Couplings of angles, with residual networks of as many matrices."""
    (features,) = event
    width, *others = settings.hidden
    layers: list[nn.Module] = [
        nf.flows.CircularCoupledRationalQuadraticSpline(
            features,
            # A first matrix, two to a block, and a last one.
            len(others) // 2,
            width,
            range(features),
            num_bins=settings.bins,
            tail_bound=math.pi,
            reverse_mask=bool(layer % 2),
        )
        for layer in range(settings.layers)
    ]
    return nf.NormalizingFlow(Uniform(features, -math.pi, math.pi), layers[::-1])
