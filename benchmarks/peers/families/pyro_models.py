"""The families in Pyro.

============== =======================================================================================================
naf            nothing differs
bnaf           weights are normalised row by row; a gated residual connection, as in the paper
planar, radial parameters at random at the start
sylvester      the reflections' matrices are multiplied out
============== =======================================================================================================

Its transforms go one way. Here that is from the data to the latents, so that they score data and do not sample.
"""

from typing import Any

import pyro.distributions as dist
import torch
from pyro.distributions.torch_transform import ComposeTransformModule
from pyro.distributions.transforms import (
    BlockAutoregressive,
    NeuralAutoregressive,
    Permute,
    Planar,
    Radial,
    Sylvester,
)
from pyro.nn import AutoRegressiveNN
from torch import Tensor

from benchmarks.density.architectures import Event
from benchmarks.peers.families.architectures import Blocks, Monotonic, Ranked, Stack
from benchmarks.peers.model import Model, cannot_sample

__all__ = ["NO_SAMPLES", "bnaf", "naf", "planar", "radial", "sylvester"]

NO_SAMPLES = {"bnaf", "naf", "planar", "radial", "sylvester"}


def naf(event: Event, settings: Monotonic) -> Model:
    (features,) = event
    if settings.depth != 1:
        raise ValueError(f"Pyro's networks have one hidden layer; depth is {settings.depth}")
    order = torch.arange(features)
    layers = [
        NeuralAutoregressive(
            AutoRegressiveNN(
                features,
                list(settings.hidden),
                param_dims=[settings.units] * 3,
                permutation=order.flip(0) if layer % 2 else order,
            ),
            hidden_units=settings.units,
        )
        for layer in range(settings.layers)
    ]
    return _model(event, layers)


def bnaf(event: Event, settings: Blocks) -> Model:
    (features,) = event
    layers: list[Any] = []
    for layer in range(settings.layers):
        if layer:
            layers.append(Permute(torch.arange(features).flip(0)))
        layers.append(BlockAutoregressive(features, [settings.units] * settings.depth, residual="gated"))
    return _model(event, layers)


def planar(event: Event, settings: Stack) -> Model:
    return _model(event, [Planar(*event) for _ in range(settings.layers)])


def radial(event: Event, settings: Stack) -> Model:
    return _model(event, [Radial(*event) for _ in range(settings.layers)])


def sylvester(event: Event, settings: Ranked) -> Model:
    (features,) = event
    return _model(event, [Sylvester(features, count_transforms=features) for _ in range(settings.layers)])


def _model(event: Event, layers: list[Any]) -> Model:
    transform = ComposeTransformModule(layers)
    base = dist.Normal(0.0, 1.0).expand(event).to_event(1)

    def log_prob(x: Tensor) -> Tensor:
        # A view of its own each time: of a tensor that they know, transforms return what they have kept.
        x = x[...]
        z = transform(x)
        return base.log_prob(z) + transform.log_abs_det_jacobian(x, z)

    return Model(transform, log_prob, cannot_sample)
