"""The families in normflows.

============== =======================================================================================================
planar, radial parameters at random at the start; no inverse, so that they either score data or sample
residual       the unbiased estimate of the log-determinant, always; a shift and a scale per feature before each block;
               the inverse by iteration until a step is small
ncsf           residual networks of as many matrices; they see cosines and sines in learned weights; no phases
============== =======================================================================================================
"""

import normflows as nf
import torch
from torch import nn

from benchmarks.density.architectures import Event
from benchmarks.density.normflows_models import circular_flow
from benchmarks.peers.families.architectures import LIPSCHITZ, Circular, Stack
from benchmarks.peers.model import Model, cannot_sample

__all__ = ["NO_SAMPLES", "ncsf", "planar", "radial", "residual"]

NO_SAMPLES = {"planar", "radial"}


def planar(event: Event, settings: Stack) -> Model:
    return _scoring([nf.flows.Planar(event) for _ in range(settings.layers)], event)


def radial(event: Event, settings: Stack) -> Model:
    return _scoring([nf.flows.Radial(event) for _ in range(settings.layers)], event)


def residual(event: Event, settings: Stack) -> Model:
    (features,) = event
    layers: list[nn.Module] = []
    for _ in range(settings.layers):
        network = nf.nets.LipschitzMLP([features, *settings.hidden, features], lipschitz_const=LIPSCHITZ)
        layers += [nf.flows.AffineConstFlow(event), nf.flows.Residual(network)]
    # It counts layers from the latents.
    return _model(nf.NormalizingFlow(nf.distributions.DiagGaussian(features, trainable=False), layers[::-1]))


def ncsf(event: Event, settings: Circular) -> Model:
    return _model(circular_flow(event, settings))


def _scoring(layers: list[nn.Module], event: Event) -> Model:
    """Layers that go from the data to the latents alone."""
    flow = nf.NormalizingFlow(
        nf.distributions.DiagGaussian(*event, trainable=False), [nf.flows.Reverse(layer) for layer in layers[::-1]]
    )
    return Model(flow, flow.log_prob, cannot_sample)


def _model(flow: nf.NormalizingFlow) -> Model:
    # Its estimate of a log-determinant takes a derivative, whether gradients are wanted or not.
    return Model(flow, torch.enable_grad()(flow.log_prob), lambda number: flow.sample(number)[0].detach())
