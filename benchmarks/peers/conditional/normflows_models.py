"""The conditional model in normflows.

================== =================================================================================================
maf                none: its masked networks take a context with residual blocks only
nsf                nothing differs: widths, heights and slopes of 0.001 at least; the context is concatenated
nsf_autoregressive none, for the same reason as maf
realnvp            none: its affine couplings take no context
================== =================================================================================================

Its matrices have an offset, and a random permutation before them. Samples come with their log-densities, which it
always computes.
"""

from collections.abc import Sequence
from typing import Any

import normflows as nf
import torch
from normflows.flows.neural_spline.coupling import PiecewiseRationalQuadraticCoupling
from torch import Tensor, nn

from benchmarks.density.architectures import Event, Spline
from benchmarks.peers.model import Model

__all__ = ["nsf"]


def nsf(event: Event, settings: Spline, context: int) -> Model:
    (features,) = event
    layers: list[nn.Module] = []
    for layer in range(settings.layers):
        spline = PiecewiseRationalQuadraticCoupling(
            (torch.arange(features) % 2 != layer % 2).int(),
            lambda inputs, outputs: _MLP(inputs, outputs, settings.hidden, context),
            num_bins=settings.bins,
            tails="linear",
            tail_bound=settings.bound,
        )
        layers += [nf.flows.LULinearPermute(features), _Reversed(spline)]
    # Layers are in the order from the data to the latents; normflows counts from the latents.
    base = nf.distributions.DiagGaussian(features, trainable=False)
    flow = nf.ConditionalNormalizingFlow(base, layers[::-1])
    return Model(flow, flow.log_prob, lambda number, context: flow.sample(number, context)[0])


class _MLP(nn.Module):
    """normflows' own, on the data and the context side by side."""

    def __init__(self, inputs: int, outputs: int, hidden: Sequence[int], context: int) -> None:
        super().__init__()
        self.network = nf.nets.MLP([inputs + context, *hidden, outputs])
        # Spline couplings divide the widths' and heights' logits by its root.
        self.hidden_features = hidden[-1]

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        return self.network(torch.cat([x, context.expand(len(x), -1)], 1))


class _Reversed(nn.Module):
    """A layer the other way round, one pass from the data to the latents: normflows' own ``Reverse`` has no context."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer: Any = layer

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        return self.layer.inverse(z, context)

    def inverse(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        return self.layer(x, context)
