"""The table of constructors that drives the contract's tests: a bijector added here is checked for every property."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor, nn

from flowkit import (
    ActNorm,
    Additive,
    Affine,
    Bijector,
    BoundedLogScale,
    Chain,
    ContextMap,
    Conv1x1,
    ConvConditioner,
    Coupling,
    FactorOut,
    Injector,
    Inverse,
    LUConv1x1,
    MultiScale,
    SigmoidScale,
    Squeeze,
    Transform,
    ZeroConv2d,
    initialize,
)

Draw: TypeAlias = Callable[[st.SearchStrategy[Any]], Any]
Shape: TypeAlias = tuple[Any, ...]

HIDDEN = 6
CONTEXT = 3


@dataclass(frozen=True)
class Case:
    """A bijector of drawn sizes: how to make one (each call a new one), and the event shapes of what it takes."""

    make: Callable[[], Bijector[Any, Any]]
    event: Shape
    context: Shape | None = None


@dataclass(frozen=True)
class Entry:
    """A line of the table: how to draw a case, the batch shapes it is claimed for, how far its parameters are moved."""

    build: Callable[[Draw], Case]
    batches: tuple[tuple[int, ...], ...] = ((), (1,), (3,), (2, 2))
    deviation: float = 0.2


@dataclass(frozen=True)
class Sample:
    """A case made ready: initialised, its parameters moved away from their start, with data to run it on."""

    case: Case
    bijector: Bijector[Any, Any]
    batch: tuple[int, ...]
    x: Any
    z: Any
    context: Any


# --- networks as a user would write them --------------------------------------------------------------------------


class ConcatLinear(nn.Module):
    """A conditional network for vectors that knows nothing of ``prepare``."""

    def __init__(self, in_channels: int, context_channels: int, out_channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_channels + context_channels, out_channels)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        context = context.expand(*x.shape[:-1], context.shape[-1])
        return self.linear(torch.cat([x, context], -1))


class Pick(nn.Module):
    """One level's features: what ``operator.itemgetter`` does, but known to ``torch.compile``."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self.level = level

    def forward(self, features: list[Tensor]) -> Tensor:
        return features[self.level]


class Pyramid(nn.Module):
    """An encoder: a small image to features for each level, finest first."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.conv = nn.Conv2d(CONTEXT, CONTEXT, 3, padding=1)

    def forward(self, image: Tensor) -> list[Tensor]:
        batch = image.shape[:-3]
        features = F.softplus(self.conv(image.reshape(-1, *image.shape[-3:])))
        sizes = [2**level for level in reversed(range(self.levels))]
        return [
            (up := F.interpolate(features, scale_factor=size, mode="nearest")).reshape(*batch, *up.shape[-3:])
            for size in sizes
        ]


# --- sizes ----------------------------------------------------------------------------------------------------------


def image_shape(draw: Draw, channels: tuple[int, int] = (2, 5), multiple: int = 1, largest: int = 3) -> Shape:
    side = st.integers(1, largest).map(lambda n: n * multiple)
    return draw(st.integers(*channels)), draw(side), draw(side)


def affine_bounded() -> Transform:
    return Affine(BoundedLogScale(1.5))


def affine_sigmoid() -> Transform:
    return Affine(SigmoidScale())


# --- single layers --------------------------------------------------------------------------------------------------


def actnorm_image(draw: Draw) -> Case:
    shape = image_shape(draw, (1, 5))
    return Case(lambda: ActNorm(shape[0]), shape)


def actnorm_vector(draw: Draw) -> Case:
    channels = draw(st.integers(1, 5))
    return Case(lambda: ActNorm(channels, event_dims=1), (channels,))


def conv1x1(draw: Draw) -> Case:
    shape = image_shape(draw, (1, 5))
    return Case(lambda: Conv1x1(shape[0]), shape)


def lu_conv1x1(draw: Draw) -> Case:
    shape = image_shape(draw, (1, 5))
    return Case(lambda: LUConv1x1(shape[0]), shape)


def coupling_image(transform: Callable[[], Transform], conditional: bool) -> Callable[[Draw], Case]:
    def build(draw: Draw) -> Case:
        shape = image_shape(draw)

        def make() -> Bijector[Any, Any]:
            return make_coupling(shape[0], transform(), CONTEXT if conditional else 0)

        return Case(make, shape, (CONTEXT, *shape[1:]) if conditional else None)

    return build


def make_coupling(channels: int, transform: Transform, context_channels: int) -> Coupling:
    kept = channels // 2
    out = transform.parameters_per_element * (channels - kept)
    return Coupling(channels, ConvConditioner(kept, out, HIDDEN, context_channels), transform)


def coupling_vector(draw: Draw) -> Case:
    channels = draw(st.integers(2, 6))
    kept = channels // 2

    def make() -> Bijector[Any, Any]:
        return Coupling(channels, nn.Linear(kept, 2 * (channels - kept)), event_dims=1)

    return Case(make, (channels,))


def coupling_vector_conditional(draw: Draw) -> Case:
    channels = draw(st.integers(2, 6))
    kept = channels // 2

    def make() -> Bijector[Any, Any]:
        return Coupling(channels, ConcatLinear(kept, CONTEXT, channels - kept), Additive(), event_dims=1)

    return Case(make, (channels,), (CONTEXT,))


def make_injector(channels: int, transform: Transform | None = None) -> Injector:
    return Injector(channels, ConvConditioner(CONTEXT, 2 * channels, HIDDEN), transform)


def injector_image(draw: Draw) -> Case:
    shape = image_shape(draw, (1, 5))
    return Case(lambda: make_injector(shape[0]), shape, (CONTEXT, *shape[1:]))


def injector_vector(draw: Draw) -> Case:
    channels = draw(st.integers(1, 5))

    def make() -> Bijector[Any, Any]:
        return Injector(channels, nn.Linear(CONTEXT, 2 * channels), affine_sigmoid(), event_dims=1)

    return Case(make, (channels,), (CONTEXT,))


def squeeze(factor: int) -> Callable[[Draw], Case]:
    def build(draw: Draw) -> Case:
        return Case(lambda: Squeeze(factor), image_shape(draw, (1, 3), factor))

    return build


def factor_out(draw: Draw) -> Case:
    shape = image_shape(draw)
    return Case(lambda: make_factor_out(shape[0]), shape)


def make_factor_out(channels: int) -> FactorOut:
    kept = channels // 2
    return FactorOut(channels, ZeroConv2d(kept, 2 * (channels - kept)))


# --- compositions ---------------------------------------------------------------------------------------------------


def chain(draw: Draw) -> Case:
    shape = image_shape(draw, (1, 2), 2)

    def make() -> Bijector[Any, Any]:
        channels = 4 * shape[0]
        return Chain([Squeeze(), ActNorm(channels), Conv1x1(channels), make_coupling(channels, Affine(), 0)])

    return Case(make, shape)


def context_map(draw: Draw) -> Case:
    shape = image_shape(draw, (1, 4))
    return Case(
        lambda: ContextMap(make_injector(shape[0]), itemgetter(1)),
        shape,
        ((1, *shape[1:]), (CONTEXT, *shape[1:])),
    )


def multi_scale(levels: int) -> Callable[[Draw], Case]:
    def build(draw: Draw) -> Case:
        shape = image_shape(draw, (1, 2), 2**levels, largest=2 if levels < 3 else 1)

        def make() -> Bijector[Any, Any]:
            parts, cuts, channels = [], [], shape[0]
            for _ in range(levels):
                channels *= 4
                parts.append(Chain([Squeeze(), ActNorm(channels), LUConv1x1(channels)]))
                cuts.append(make_factor_out(channels))
                channels //= 2
            return MultiScale(parts, cuts[:-1])

        return Case(make, shape)

    return build


def make_glow_step(channels: int) -> Chain:
    """One step of a conditional Glow that generates by coupling first and injector last."""
    coupling = make_coupling(channels, affine_sigmoid(), CONTEXT)
    return Chain([ActNorm(channels), LUConv1x1(channels), Inverse(Chain([make_injector(channels), coupling]))])


def make_glow(channels: int, levels: int = 2, steps: int = 2) -> ContextMap:
    """A conditional Glow-like flow: an encoder, then levels that each see their own features."""
    parts, cuts = [], []
    for level in range(levels):
        channels *= 4
        steps_of_level = [make_glow_step(channels) for _ in range(steps)]
        transition = [ActNorm(channels), LUConv1x1(channels)]
        parts.append(ContextMap(Chain([Squeeze(), *transition, *steps_of_level]), Pick(level)))
        cuts.append(make_factor_out(channels))
        channels //= 2
    return ContextMap(MultiScale(parts, cuts[:-1]), Pyramid(levels))


def glow(draw: Draw) -> Case:
    channels, height, width = image_shape(draw, (1, 2), largest=2)
    return Case(lambda: make_glow(channels), (channels, 4 * height, 4 * width), (CONTEXT, height, width))


LAYERS: dict[str, Callable[[int], Bijector[Any, Any]]] = {
    "actnorm": ActNorm,
    "conv": Conv1x1,
    "lu_conv": LUConv1x1,
    "injector": make_injector,
    "coupling": lambda channels: make_coupling(channels, affine_bounded(), CONTEXT),
    "coupling_additive": lambda channels: make_coupling(channels, Additive(), CONTEXT),
}


def composition(draw: Draw) -> Case:
    """Layers in any order, each turned round or not, chains within chains; all of them offered one context."""
    shape = image_shape(draw)
    layer = st.tuples(st.sampled_from(sorted(LAYERS)), st.booleans())
    groups = draw(st.lists(st.lists(layer, min_size=1, max_size=2), min_size=1, max_size=3))
    turned = draw(st.booleans())

    def without_context(name: str) -> bool:
        return name in {"actnorm", "conv", "lu_conv"}

    def make_layer(name: str, inverse: bool) -> Bijector[Any, Any]:
        bijector = LAYERS[name](shape[0])
        return Inverse(bijector) if inverse else bijector

    def make() -> Bijector[Any, Any]:
        chains = [Chain([make_layer(*layer) for layer in group]) for group in groups]
        whole = Chain(chains)
        return Inverse(whole) if turned else whole

    conditional = not all(without_context(name) for group in groups for name, _ in group)
    return Case(make, shape, (CONTEXT, *shape[1:]) if conditional else None)


# --- the table ------------------------------------------------------------------------------------------------------


def inverted(entry: Entry) -> Entry:
    def build(draw: Draw) -> Case:
        case = entry.build(draw)
        return Case(lambda: Inverse(case.make()), case.make().output_shape(case.event), case.context)

    return Entry(build, entry.batches, entry.deviation)


STRAIGHT: dict[str, Entry] = {
    "ActNorm": Entry(actnorm_image),
    "ActNorm_vector": Entry(actnorm_vector),
    "Conv1x1": Entry(conv1x1),
    "LUConv1x1": Entry(lu_conv1x1),
    "Coupling_bounded": Entry(coupling_image(affine_bounded, conditional=False)),
    "Coupling_bounded_conditional": Entry(coupling_image(affine_bounded, conditional=True)),
    "Coupling_sigmoid": Entry(coupling_image(affine_sigmoid, conditional=False)),
    "Coupling_sigmoid_conditional": Entry(coupling_image(affine_sigmoid, conditional=True)),
    "Coupling_additive": Entry(coupling_image(Additive, conditional=False)),
    "Coupling_additive_conditional": Entry(coupling_image(Additive, conditional=True)),
    "Coupling_vector": Entry(coupling_vector),
    "Coupling_vector_conditional": Entry(coupling_vector_conditional),
    "Injector": Entry(injector_image),
    "Injector_vector": Entry(injector_vector),
    "Squeeze2": Entry(squeeze(2)),
    "Squeeze3": Entry(squeeze(3)),
    "FactorOut": Entry(factor_out),
    "Chain": Entry(chain),
    "ContextMap": Entry(context_map),
    "MultiScale1": Entry(multi_scale(1)),
    "MultiScale2": Entry(multi_scale(2)),
    "MultiScale3": Entry(multi_scale(3)),
    # Many sigmoid scales after one another: moved further, some of them come near 0 and lose all digits.
    "Glow": Entry(glow, deviation=0.05),
    "Composition": Entry(composition),
}
TABLE: dict[str, Entry] = STRAIGHT | {f"Inverse_{name}": inverted(entry) for name, entry in STRAIGHT.items()}


# --- cases made ready -----------------------------------------------------------------------------------------------


def random_value(shape: Shape, batch: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Any:
    """Normal numbers of that event shape, or a tuple of such for a tuple of shapes."""
    if shape and isinstance(shape[0], tuple):
        return tuple(random_value(part, batch, dtype) for part in shape)
    return torch.randn(*batch, *shape, dtype=dtype)


def perturb(module: nn.Module, deviation: float) -> None:
    """Move every parameter off its start, where zeros and unit scales would hide mistakes.

    By the same amount for every layer's output: sums over many inputs get less noise in each of their weights, else
    the scales of deep flows would overflow.
    """
    with torch.no_grad():
        for parameter in module.parameters():
            inputs = parameter[0].numel()
            parameter.add_(deviation / inputs**0.5 * torch.randn_like(parameter))


def ready(case: Case, deviation: float, dtype: torch.dtype = torch.float64) -> Bijector[Any, Any]:
    """The case's bijector, initialised on random data and perturbed."""
    bijector = case.make().to(dtype)
    context = None if case.context is None else random_value(case.context, (16,), dtype)
    initialize(bijector, random_value(case.event, (16,), dtype), context)
    perturb(bijector, deviation)
    return bijector


@st.composite
def samples(
    draw: Draw, entry: Entry, dtype: torch.dtype = torch.float64, batch: tuple[int, ...] | None = None
) -> Sample:
    """A case of an entry, made ready, with data, latents (drawn at random, not encoded) and context."""
    case = entry.build(draw)
    batch = draw(st.sampled_from(entry.batches)) if batch is None else batch
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(draw(st.integers(0, 2**16)))
        bijector = ready(case, entry.deviation, dtype)
        x = random_value(case.event, batch, dtype)
        z = random_value(bijector.output_shape(case.event), batch, dtype)
        context = None if case.context is None else random_value(case.context, batch, dtype)
    return Sample(case, bijector, batch, x, z, context)
