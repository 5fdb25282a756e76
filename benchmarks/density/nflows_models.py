"""The models in nflows, which has every layer of the vector models, and the parts of Glow."""

from collections.abc import Callable

import nflows.nn.nets
import torch
from nflows.distributions import StandardNormal
from nflows.flows import Flow
from nflows.transforms import (
    ActNorm,
    AffineCouplingTransform,
    CompositeTransform,
    LULinear,
    MaskedAffineAutoregressiveTransform,
    MaskedPiecewiseRationalQuadraticAutoregressiveTransform,
    MultiscaleCompositeTransform,
    OneByOneConvolution,
    PiecewiseRationalQuadraticCouplingTransform,
    RandomPermutation,
    ReversePermutation,
    SqueezeTransform,
)
from torch import Tensor, nn

from benchmarks.density.architectures import Coupling, Density, Event, Glow, Masked, Spline

__all__ = ["MLP", "glow", "maf", "nsf", "nsf_autoregressive", "realnvp"]


class MLP(nn.Module):
    """nflows' own, called as its couplings call networks; a context is concatenated with the data."""

    def __init__(self, inputs: int, outputs: int, hidden: tuple[int, int], context: int = 0) -> None:
        super().__init__()
        self.network = nflows.nn.nets.MLP([inputs + context], [outputs], hidden)
        # Spline couplings divide the widths' and heights' logits by its root.
        self.hidden_features = hidden[-1]

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.network(x if context is None else torch.cat([x, context], 1))


class _ConvNet(nn.Sequential):
    """Glow's sub-network: nflows has convolutional residual networks alone."""

    def __init__(self, inputs: int, outputs: int, hidden: int) -> None:
        last = nn.Conv2d(hidden, outputs, 3, padding=1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        super().__init__(
            nn.Conv2d(inputs, hidden, 3, padding=1), nn.ReLU(), nn.Conv2d(hidden, hidden, 1), nn.ReLU(), last
        )

    def forward(self, x: Tensor, context: None = None) -> Tensor:
        return super().forward(x)


def _mlp(hidden: tuple[int, int], context: int) -> Callable[[int, int], nn.Module]:
    return lambda inputs, outputs: MLP(inputs, outputs, hidden, context)


def _density(transform: nn.Module, event: Event) -> Density:
    flow = Flow(transform, StandardNormal(event))
    return Density(flow, flow.log_prob)


def _changed(features: int, layer: int) -> Tensor:
    """1 for the features that a coupling changes: the odd ones, then the even ones."""
    return (torch.arange(features) % 2 != layer % 2).int()


def _second_half(channels: int) -> Tensor:
    """1 for the channels that a coupling of Glow changes."""
    return (torch.arange(channels) >= channels // 2).int()


def _mixing(features: int) -> list[nn.Module]:
    """A matrix in LU form: nflows starts it as the identity, and its authors put a random permutation before it."""
    return [RandomPermutation(features), LULinear(features)]


def maf(event: Event, settings: Masked, context: int = 0) -> Density:
    (features,) = event
    layers: list[nn.Module] = []
    for _ in range(settings.layers):
        # The first layer of its MADE is not counted as a block.
        layers += [
            MaskedAffineAutoregressiveTransform(
                features,
                settings.hidden[0],
                context_features=context or None,
                num_blocks=len(settings.hidden) - 1,
                use_residual_blocks=False,
            ),
            ReversePermutation(features),
        ]
    return _density(CompositeTransform(layers), event)


def realnvp(event: Event, settings: Coupling, context: int = 0) -> Density:
    (features,) = event
    layers: list[nn.Module] = []
    for i in range(settings.layers):
        layers += [AffineCouplingTransform(_changed(features, i), _mlp(settings.hidden, context)), *_mixing(features)]
    return _density(CompositeTransform(layers), event)


def nsf(event: Event, settings: Spline, context: int = 0) -> Density:
    (features,) = event
    layers: list[nn.Module] = []
    for i in range(settings.layers):
        coupling = PiecewiseRationalQuadraticCouplingTransform(
            _changed(features, i),
            _mlp(settings.hidden, context),
            num_bins=settings.bins,
            tails="linear",
            tail_bound=settings.bound,
        )
        layers += [*_mixing(features), coupling]
    return _density(CompositeTransform(layers), event)


def nsf_autoregressive(event: Event, settings: Spline, context: int = 0) -> Density:
    (features,) = event
    layers: list[nn.Module] = []
    for _ in range(settings.layers):
        spline = MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
            features,
            settings.hidden[0],
            context_features=context or None,
            num_bins=settings.bins,
            tails="linear",
            tail_bound=settings.bound,
            num_blocks=len(settings.hidden) - 1,
            use_residual_blocks=False,
        )
        layers += [*_mixing(features), spline]
    return _density(CompositeTransform(layers), event)


def glow(event: Event, settings: Glow) -> Density:
    channels, height, width = event
    multiscale = MultiscaleCompositeTransform(settings.levels)
    for _ in range(settings.levels):
        channels, height, width = 4 * channels, height // 2, width // 2
        steps: list[nn.Module] = [SqueezeTransform()]
        for _ in range(settings.steps):
            steps += [
                ActNorm(channels),
                OneByOneConvolution(channels),
                AffineCouplingTransform(
                    _second_half(channels), lambda inputs, outputs: _ConvNet(inputs, outputs, settings.hidden)
                ),
            ]
        multiscale.add_transform(CompositeTransform(steps), (channels, height, width))
        channels //= 2
    return _density(multiscale, (int(torch.Size(event).numel()),))
