"""Compositions: chains, multi-scale flows, and random ones of either."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from flowkit.bijector import Bijector
from flowkit.bijectors.activations.activations import Activations
from flowkit.bijectors.activations.checkpointed import Checkpointed
from flowkit.bijectors.activations.reversible import Reversible
from flowkit.bijectors.actnorm import ActNorm
from flowkit.bijectors.autoregressive import InverseAutoregressive, MaskedAutoregressive
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.context_map import ContextMap
from flowkit.bijectors.coupling import Coupling
from flowkit.bijectors.elementwise import Elementwise
from flowkit.bijectors.injector import Injector
from flowkit.bijectors.inverse import Inverse
from flowkit.bijectors.invertible_conv import Conv1x1, HouseholderConv1x1, LUConv1x1
from flowkit.bijectors.lu import LULinear
from flowkit.bijectors.masked_coupling import MaskedCoupling
from flowkit.bijectors.masks import Checkerboard, alternating_mask
from flowkit.bijectors.multiscale import MultiScale
from flowkit.bijectors.orthogonal import Orthogonal
from flowkit.bijectors.permutation import Reversal
from flowkit.bijectors.squeeze import Squeeze
from flowkit.nn.conv_conditioner import ConvConditioner
from flowkit.nn.made import MADE
from flowkit.nn.mlp import MLP
from flowkit.testing.case import Case, Draw, Entry
from flowkit.testing.catalogue.coupling import affine_bounded, affine_sigmoid, make_coupling, spline
from flowkit.testing.catalogue.image import make_factor_out, make_injector
from flowkit.testing.catalogue.networks import CONTEXT, HIDDEN, Flip, Pick, Pyramid
from flowkit.testing.catalogue.sizes import choice, image_shape
from flowkit.transforms.additive import Additive
from flowkit.transforms.affine import Affine

__all__ = ["COMPOSITION", "ENTRIES", "IMAGE_COMPOSITION", "MULTI_SCALE", "VECTOR_COMPOSITION", "make_glow"]

AnyBijector = Bijector[Any, Any]
# Makes a layer that keeps the shape, of a number of channels and of those of the context, 0 for none.
Make = Callable[[int, int], AnyBijector]


def make_glow(channels: int, levels: int = 2, steps: int = 2) -> ContextMap:
    """A conditional Glow: an encoder, then levels that each see their own features.

    Args:
        channels: of the image.
        levels: how many times it is halved.
        steps: of flow in each level.

    Returns:
        A new one.

    Examples:
        >>> make_glow(1).output_shape((1, 8, 12))
        ((2, 4, 6), (8, 2, 3))
    """
    parts, cuts = [], []
    for level in range(levels):
        channels *= 4
        flow_steps = [_glow_step(channels) for _ in range(steps)]
        transition = [ActNorm(channels), LUConv1x1(channels)]
        parts.append(ContextMap(Chain([Squeeze(), *transition, *flow_steps]), Pick(level)))
        cuts.append(make_factor_out(channels))
        channels //= 2
    return ContextMap(MultiScale(parts, cuts[:-1]), Pyramid(CONTEXT, levels))


def _glow_step(channels: int) -> Chain:
    """A step that generates by coupling first and injector last."""
    coupling = make_coupling(channels, affine_sigmoid(), CONTEXT)
    return Chain([ActNorm(channels), LUConv1x1(channels), Inverse(Chain([make_injector(channels), coupling]))])


def _chain(draw: Draw) -> Case:
    shape = image_shape(draw, (1, 2), 2)
    channels = 4 * shape[0]

    def make() -> Chain:
        return Chain([Squeeze(), ActNorm(channels), Conv1x1(channels), make_coupling(channels, Affine())])

    return Case(make, shape)


def _recomputed_chain(activations: Activations, draw: Draw) -> Case:
    """Steps of Glow, chains within the chain, that store less than all."""
    shape = image_shape(draw, (1, 2), 2, largest=2)
    channels = 4 * shape[0]

    def make() -> Chain:
        level = Chain([_glow_step(channels), ContextMap(_glow_step(channels), Flip())])
        return Chain([Squeeze(), level, Conv1x1(channels)], activations)

    return Case(make, shape, (CONTEXT, shape[1] // 2, shape[2] // 2), deviation=DEVIATION)


def _context_map(draw: Draw) -> Case:
    shape = image_shape(draw, (1, 4))
    return Case(lambda: ContextMap(make_injector(shape[0]), Pick(1)), shape, ((1, *shape[1:]), (CONTEXT, *shape[1:])))


def _glow(draw: Draw) -> Case:
    channels, height, width = image_shape(draw, (1, 2), largest=2)
    # Many sigmoid scales after one another: moved further, some of them come near 0 and lose all digits.
    return Case(
        lambda: make_glow(channels),
        event=(channels, 4 * height, 4 * width),
        context=(CONTEXT, height, width),
        deviation=0.05,
    )


def _checkerboard(channels: int, context: int) -> AnyBijector:
    return MaskedCoupling(Checkerboard(), ConvConditioner(channels, 2 * channels, HIDDEN, context), affine_bounded())


def _alternating(channels: int, context: int) -> AnyBijector:
    return make_coupling(channels, spline(), context, alternating_mask(channels))


# Layers of images, and those of them that take a context if there is one.
IMAGE_LAYERS: Mapping[str, Make] = {
    "actnorm": lambda channels, _: ActNorm(channels),
    "conv": lambda channels, _: Conv1x1(channels),
    "elementwise": lambda channels, _: Elementwise(affine_sigmoid(), (channels, 1, 1), event_dims=3),
    "householder": lambda channels, _: HouseholderConv1x1(channels),
    "lu_conv": lambda channels, _: LUConv1x1(channels),
    "orthogonal": lambda channels, _: Orthogonal(channels, event_dims=3),
    "reversal": lambda channels, _: Reversal(channels, event_dims=3),
}
CONDITIONED_IMAGE_LAYERS: Mapping[str, Make] = {
    "additive": lambda channels, context: make_coupling(channels, Additive(), context),
    "affine": lambda channels, context: make_coupling(channels, affine_bounded(), context),
    "checkerboard": _checkerboard,
    "spline": _alternating,
}


def _vector_injector(features: int, context: int) -> AnyBijector:
    return Injector(features, nn.Linear(context, 2 * features), event_dims=1)


def _vector_coupling(features: int, context: int) -> AnyBijector:
    kept = features // 2
    return Coupling(features, MLP(kept, 2 * (features - kept), (HIDDEN,), context), event_dims=1)


# Layers of vectors, likewise.
VECTOR_LAYERS: Mapping[str, Make] = {
    "actnorm": lambda features, _: ActNorm(features, event_dims=1),
    "elementwise": lambda features, _: Elementwise(spline(), (features,)),
    "lu": lambda features, _: LULinear(features),
    "orthogonal": lambda features, _: Orthogonal(features),
    "reversal": lambda features, _: Reversal(features),
}
CONDITIONED_VECTOR_LAYERS: Mapping[str, Make] = {
    "coupling": _vector_coupling,
    "iaf": lambda features, context: InverseAutoregressive(features, MADE(features, 2, (HIDDEN,), context)),
    "maf": lambda features, context: MaskedAutoregressive(features, MADE(features, 2, (HIDDEN,), context)),
}
INJECTORS: Mapping[str, Make] = {"image": lambda channels, _: make_injector(channels), "vector": _vector_injector}
# Nearer to its start than a layer alone: errors of many add up, and so do scales.
DEVIATION = 0.1


def _composition(draw: Draw, shape: tuple[int, ...]) -> Case:
    """Layers in any order, each turned round or not, chains within chains; all of them offered one context."""
    image = len(shape) == 3
    plain, conditioned = (
        (IMAGE_LAYERS, CONDITIONED_IMAGE_LAYERS) if image else (VECTOR_LAYERS, CONDITIONED_VECTOR_LAYERS)
    )
    context = CONTEXT * draw(0, 1)
    # Of a conditional composition, one layer at least must use its context.
    using: Mapping[str, Make] = {**conditioned, "injector": INJECTORS["image" if image else "vector"]}
    layers: Mapping[str, Make] = {**plain, **(using if context else conditioned)}

    def draw_layer(among: Mapping[str, Make]) -> tuple[Make, bool]:
        return among[choice(draw, sorted(among))], draw(0, 1) == 1

    groups = [[draw_layer(layers) for _ in range(draw(1, 2))] for _ in range(draw(1, 3))]
    if context:
        groups[draw(0, len(groups) - 1)].append(draw_layer(using))
    turned = draw(0, 1) == 1

    def make_layer(make: Make, inverse: bool) -> AnyBijector:
        layer = make(shape[0], context)
        return Inverse(layer) if inverse else layer

    def make() -> AnyBijector:
        whole = Chain([Chain([make_layer(*layer) for layer in group]) for group in groups])
        return Inverse(whole) if turned else whole

    return Case(make, shape, (context, *shape[1:]) if context else None, deviation=DEVIATION)


def _image_composition(draw: Draw) -> Case:
    channels, height, width = image_shape(draw)
    # A checkerboard of one position has nothing to see.
    return _composition(draw, (channels, height, max(width, 2)))


def _vector_composition(draw: Draw) -> Case:
    return _composition(draw, (draw(2, 5),))


def _any_composition(draw: Draw) -> Case:
    return _image_composition(draw) if draw(0, 1) == 0 else _vector_composition(draw)


def _multi_scale(draw: Draw, levels: int | None = None) -> Case:
    """Levels of random layers, each after its squeeze."""
    count = draw(1, 3) if levels is None else levels
    shape = image_shape(draw, (1, 2), 2**count, largest=2 if count < 3 else 1)
    layers = {**IMAGE_LAYERS, **CONDITIONED_IMAGE_LAYERS}
    # The last level may have one position, of which a checkerboard has nothing to see.
    del layers["checkerboard"]
    chosen = [[layers[choice(draw, sorted(layers))] for _ in range(draw(1, 2))] for _ in range(count)]

    def make() -> MultiScale:
        parts, cuts, channels = [], [], shape[0]
        for level in chosen:
            channels *= 4
            parts.append(Chain([Squeeze(), *(make_layer(channels, 0) for make_layer in level)]))
            cuts.append(make_factor_out(channels))
            channels //= 2
        return MultiScale(parts, cuts[:-1])

    return Case(make, shape, deviation=DEVIATION)


GLOW = "Kingma and Dhariwal 2018"
REALNVP = "Dinh, Sohl-Dickstein and Bengio 2017"

COMPOSITION = Entry("a random composition", "Rezende and Mohamed 2015, sec. 3", _any_composition)
IMAGE_COMPOSITION = Entry("a random composition of images", "Rezende and Mohamed 2015, sec. 3", _image_composition)
VECTOR_COMPOSITION = Entry("a random composition of vectors", "Rezende and Mohamed 2015, sec. 3", _vector_composition)
MULTI_SCALE = Entry("a random multi-scale flow", f"{REALNVP}, sec. 3.6", _multi_scale)

ENTRIES: dict[str, Entry] = {
    "Chain": Entry("a step of Glow after a squeeze", f"{GLOW}, fig. 2a", _chain),
    "Chain, checkpointed": Entry(
        "steps of Glow, two of them recomputed at a time",
        "Chen et al. 2016, sec. 3",
        lambda draw: _recomputed_chain(Checkpointed(segment=2), draw),
    ),
    "Chain, reversible": Entry(
        "steps of Glow, recomputed by inverting them",
        "Gomez et al. 2017, sec. 3",
        lambda draw: _recomputed_chain(Reversible(), draw),
    ),
    "ContextMap": Entry("a function of the context", "Lugmayr et al. 2020, sec. 3.3", _context_map),
    "MultiScale, 1 level": Entry("multi-scale flow", f"{REALNVP}, sec. 3.6", lambda draw: _multi_scale(draw, 1)),
    "MultiScale, 2 levels": Entry("multi-scale flow", f"{REALNVP}, sec. 3.6", lambda draw: _multi_scale(draw, 2)),
    "MultiScale, 3 levels": Entry("multi-scale flow", f"{REALNVP}, sec. 3.6", lambda draw: _multi_scale(draw, 3)),
    "Glow": Entry("conditional Glow", f"{GLOW}; Lugmayr et al. 2020", _glow),
    "composition of images": IMAGE_COMPOSITION,
    "composition of vectors": VECTOR_COMPOSITION,
    "multi-scale composition": MULTI_SCALE,
}
