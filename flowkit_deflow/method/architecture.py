"""DeFlow's network as a composition of flowkit parts."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from flowkit import (
    ActNorm,
    Additive,
    Affine,
    Bijector,
    Chain,
    ContextMap,
    ConvConditioner,
    Coupling,
    FactorOut,
    Injector,
    Inverse,
    LUConv1x1,
    MultiScale,
    Squeeze,
    ZeroConv2d,
)
from flowkit.nn import MixedResolution
from flowkit.transforms import BoundedLogScale, SigmoidScale
from flowkit_deflow.method.latents import LatentModel
from flowkit_deflow.method.rrdb import RRDBEncoder
from flowkit_deflow.method.shifts.binned import BinnedShift
from flowkit_deflow.method.shifts.brightness import BrightnessShift
from flowkit_deflow.method.shifts.correlated import CorrelatedShift
from flowkit_deflow.method.shifts.inferred import InferredShift
from flowkit_deflow.method.shifts.shift import DomainShift
from flowkit_deflow.method.shifts.uncorrelated import UncorrelatedShift
from flowkit_deflow.settings.schema import Architecture

__all__ = ["build_bijector", "build_latents", "level_channels"]

IMAGE_CHANNELS = 3


def _affine(config: Architecture) -> Affine:
    """An affine transform with the scale function of the settings."""
    return Affine(SCALES[config.scale](config))


# What the settings' names stand for: a new one is a line here, and a name in the settings' schema.
SCALES: Mapping[str, Callable[[Architecture], nn.Module]] = {
    "sigmoid": lambda config: SigmoidScale(config.scale_eps),
    "bounded": lambda config: BoundedLogScale(config.scale_bound),
}
COUPLINGS: Mapping[str, Callable[[Architecture], Affine | Additive]] = {
    "affine": _affine,
    "additive": lambda config: Additive(),
}
SHIFTS: Mapping[str, Callable[[int, Architecture], DomainShift]] = {
    "correlated": lambda channels, config: CorrelatedShift(channels, config.shift_start),
    "uncorrelated": lambda channels, config: UncorrelatedShift(channels, config.shift_start),
    "none": lambda channels, config: InferredShift(channels),
    "binned": lambda channels, config: BinnedShift(channels, config.shift_start, config.shift_classes),
    "brightness": lambda channels, config: BrightnessShift(channels, config.shift_start),
}


def level_channels(config: Architecture) -> list[int]:
    """Channels inside each level, finest first: times 4 by its squeeze, halved by a split before it.

    Examples:
        >>> level_channels(Architecture())
        [12, 24, 96]
    """
    channels = []
    current = IMAGE_CHANNELS
    for level in range(1, config.levels + 1):
        current *= 4
        channels.append(current)
        if level in config.split_after:
            current //= 2
    return channels


def build_bijector(config: Architecture) -> Bijector[Tensor, tuple[Tensor, ...]]:
    """The conditional multi-scale flow of sec. 4.1.

    Called with h as its context, or without one where there is no conditioning.

    Args:
        config: the architecture.

    Returns:
        A bijector from images ``B x 3 x H x W`` to the tuple of latents, finest first.

    Examples:
        >>> from flowkit_deflow.settings.presets import PRESETS
        >>> build_bijector(PRESETS["tiny"].architecture).output_shape((3, 8, 8))
        ((6, 4, 4), (24, 2, 2))
    """
    levels = [_level(config, index, channels) for index, channels in enumerate(level_channels(config))]
    stages: list[list[Bijector[Any, Any]]] = [[]]
    cuts = []
    for number, (level, channels) in enumerate(zip(levels, level_channels(config), strict=True), start=1):
        stages[-1].append(level)
        if number in config.split_after:
            kept = channels // 2
            # Not bounded, as in the published network.
            cuts.append(FactorOut(channels, ZeroConv2d(kept, 2 * (channels - kept)), scale=nn.Identity()))
            stages.append([])
    flow = MultiScale([Chain(stage) for stage in stages], cuts)
    if config.h_factor is None:
        return flow
    encoder = RRDBEncoder(
        scale=config.h_factor,
        levels=config.levels,
        features=config.encoder_features,
        growth=config.encoder_growth,
        blocks=config.encoder_blocks,
        stack_blocks=config.stack_blocks,
    )
    return ContextMap(flow, encoder)


def build_latents(config: Architecture) -> LatentModel:
    """The latent model that fits :func:`build_bijector`'s latents."""
    channels = level_channels(config)
    sizes = [channels[level - 1] - channels[level - 1] // 2 for level in config.split_after] + [channels[-1]]
    return LatentModel([SHIFTS[config.shift](size, config) for size in sizes])


def _level(config: Architecture, index: int, channels: int) -> Bijector[Any, Any]:
    parts: list[Bijector[Any, Any]] = [Squeeze()]
    for _ in range(config.plain_steps):
        parts += [ActNorm(channels), LUConv1x1(channels)]
    for _ in range(config.steps):
        parts += [ActNorm(channels), LUConv1x1(channels), _conditional_part(config, channels)]
    level = Chain(parts)
    return level if config.h_factor is None else ContextMap(level, _MapOfLevel(index))


class _MapOfLevel(nn.Module):
    """One of the encoder's maps, for all networks of a level."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index

    def forward(self, maps: tuple[Tensor | MixedResolution, ...]) -> Tensor | MixedResolution:
        return maps[self.index]


def _conditional_part(config: Architecture, channels: int) -> Bijector[Any, Any]:
    """Injector and coupling, which the published network runs inverted and in reverse order when it encodes."""
    kept = channels // 2
    features = 0 if config.h_factor is None else config.encoder_features * (1 + len(config.stack_blocks))
    hidden = config.hidden_channels
    transform = COUPLINGS[config.coupling](config)
    outputs = transform.parameters_per_element * (channels - kept)
    coupling = Coupling(channels, ConvConditioner(kept, outputs, hidden, features), transform)
    if not features:
        return Inverse(coupling)
    injector = Injector(channels, ConvConditioner(features, 2 * channels, hidden), _affine(config))
    return Inverse(Chain([injector, coupling]))
