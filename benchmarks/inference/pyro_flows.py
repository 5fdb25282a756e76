"""The sampler in Pyro.

=== ================================================================================================================
iaf the log-scale is clamped to [-5, 3], its default, with gradients beyond; every second layer's masks have the
    reversed order, so that no feature moves
=== ================================================================================================================

A neural spline flow of couplings with matrices between is not among its flows.
"""

import pyro.distributions as dist
import torch
from pyro.distributions.torch_transform import ComposeTransformModule
from pyro.distributions.transforms import AffineAutoregressive
from pyro.nn import AutoRegressiveNN
from torch import Tensor

from benchmarks.density.architectures import Masked
from benchmarks.inference.sampler import Sampler, divergence

__all__ = ["iaf"]


def iaf(features: int, settings: Masked) -> Sampler:
    order = torch.arange(features)
    transform = ComposeTransformModule(
        [
            AffineAutoregressive(
                AutoRegressiveNN(features, list(settings.hidden), permutation=order.flip(0) if layer % 2 else order)
            )
            for layer in range(settings.layers)
        ]
    )
    flow = dist.TransformedDistribution(dist.Normal(0, 1).expand([features]).to_event(1), [transform])

    def draw(number: int) -> tuple[Tensor, Tensor]:
        x = flow.rsample((number,))
        # The transforms have kept what they gave x for.
        return x, flow.log_prob(x)

    return Sampler(transform, draw, divergence(draw), lambda: transform)
