"""Coupling layers: each mask, each transform, images and vectors, with and without context."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from flowkit.bijectors.coupling import Coupling
from flowkit.bijectors.masked_coupling import MaskedCoupling
from flowkit.bijectors.masks import Checkerboard, alternating_mask
from flowkit.nn.conv_conditioner import ConvConditioner
from flowkit.nn.mlp import MLP
from flowkit.nn.residual_mlp import ResidualMLP
from flowkit.testing.case import Case, Draw, Entry
from flowkit.testing.catalogue.networks import CONTEXT, HIDDEN, ConcatLinear
from flowkit.testing.catalogue.sizes import image_shape
from flowkit.transforms.additive import Additive
from flowkit.transforms.affine import Affine
from flowkit.transforms.rational_quadratic import RationalQuadraticSpline
from flowkit.transforms.scale import BoundedLogScale, SigmoidScale
from flowkit.transforms.scale_shift import ScaleShift
from flowkit.transforms.transform import Transform

__all__ = ["ENTRIES", "affine_bounded", "affine_sigmoid", "make_coupling", "spline"]

# Draws a mask over so many channels; None for a coupling's own, the first half.
DrawMask = Callable[[Draw, int], Tensor | None]
Build = Callable[[Draw], Case]


def affine_bounded() -> Transform:
    """The affine transform with a bounded scale.

    Returns:
        A new one.

    Examples:
        >>> affine_bounded().parameters_per_element
        2
    """
    return Affine(BoundedLogScale(1.5))


def affine_sigmoid() -> Transform:
    """The affine transform with a sigmoid for a scale.

    Returns:
        A new one.

    Examples:
        >>> affine_sigmoid().parameters_per_element
        2
    """
    return Affine(SigmoidScale())


def spline() -> Transform:
    """A spline of few bins.

    Returns:
        A new one.

    Examples:
        >>> spline().parameters_per_element
        11
    """
    return RationalQuadraticSpline(bins=4)


def make_coupling(
    channels: int, transform: Transform, context_channels: int = 0, mask: Tensor | None = None
) -> Coupling:
    """A coupling of an image with a convolutional network.

    Args:
        channels: of the image.
        transform: of the channels that are not kept.
        context_channels: of the context; 0 for none.
        mask: true for the channels that are kept; ``None`` for the first half.

    Returns:
        A new one.

    Examples:
        >>> make_coupling(5, affine_bounded()).channels
        5
    """
    kept = channels // 2 if mask is None else int(mask.sum())
    out = transform.parameters_per_element * (channels - kept)
    return Coupling(channels, ConvConditioner(kept, out, HIDDEN, context_channels), transform, mask=mask)


def _deviation(transform: Callable[[], Transform]) -> float:
    # Under autocast, knots are off by the rounding of the whole interval, which a bin may be narrow against, its slope
    # then being quite another. Nearer to its start a spline has no such bins.
    return 0.1 if transform is spline else 0.2


def _halves(draw: Draw, channels: int) -> None:
    return None


def _second_half(draw: Draw, channels: int) -> Tensor:
    return torch.arange(channels) >= channels // 2


def _alternating(draw: Draw, channels: int) -> Tensor:
    return alternating_mask(channels, draw(0, 1))


def _users(draw: Draw, channels: int) -> Tensor:
    """Any mask that keeps one and leaves one, each at a drawn place."""
    kept = draw(0, channels - 1)
    changed = (kept + draw(1, channels - 1)) % channels
    return torch.tensor([c == kept or (c != changed and draw(0, 1) == 1) for c in range(channels)])


def _image(transform: Callable[[], Transform], conditional: bool = False, draw_mask: DrawMask = _halves) -> Build:
    def build(draw: Draw) -> Case:
        shape = image_shape(draw)
        mask = draw_mask(draw, shape[0])

        def make() -> Coupling:
            return make_coupling(shape[0], transform(), CONTEXT if conditional else 0, mask)

        return Case(make, shape, (CONTEXT, *shape[1:]) if conditional else None, deviation=_deviation(transform))

    return build


def _vector(
    network: Callable[[int, int], nn.Module],
    transform: Callable[[], Transform],
    conditional: bool = False,
    draw_mask: DrawMask = _halves,
) -> Build:
    def build(draw: Draw) -> Case:
        features = draw(2, 6)
        mask = draw_mask(draw, features)
        kept = features // 2 if mask is None else int(mask.sum())

        def make() -> Coupling:
            chosen = transform()
            conditioner = network(kept, chosen.parameters_per_element * (features - kept))
            return Coupling(features, conditioner, chosen, event_dims=1, mask=mask)

        return Case(make, (features,), (CONTEXT,) if conditional else None, deviation=_deviation(transform))

    return build


def _mlp(seen: int, out: int) -> nn.Module:
    return MLP(seen, out, (HIDDEN,))


def _conditional_mlp(seen: int, out: int) -> nn.Module:
    return MLP(seen, out, (HIDDEN, HIDDEN), CONTEXT, nn.Tanh)


def _conditional_residual_mlp(seen: int, out: int) -> nn.Module:
    return ResidualMLP(seen, out, HIDDEN, blocks=1, context_features=CONTEXT)


def _conditional_without_prepare(seen: int, out: int) -> nn.Module:
    return ConcatLinear(seen, CONTEXT, out)


def _checkerboard(transform: Callable[[], Transform], conditional: bool = False) -> Build:
    def build(draw: Draw) -> Case:
        channels, height, width = image_shape(draw, (1, 4))
        # A single position is either kept or sees nothing: the context, or the parameters, would not matter.
        shape = (channels, height, width + 1)
        parity = draw(0, 1)

        def make() -> MaskedCoupling:
            chosen = transform()
            out = chosen.parameters_per_element * channels
            conditioner = ConvConditioner(channels, out, HIDDEN, CONTEXT if conditional else 0)
            return MaskedCoupling(Checkerboard(parity), conditioner, chosen)

        context = (CONTEXT, *shape[1:]) if conditional else None
        return Case(make, shape, context, deviation=_deviation(transform))

    return build


def _positions(draw: Draw) -> Case:
    channels, height, width = image_shape(draw, (1, 3))
    # One row at least is kept, and one changed.
    shape = (channels, height + 1, width)
    mask = torch.tensor([[row == 0 or (row < height and draw(0, 1) == 1)] for row in range(height + 1)])

    def make() -> MaskedCoupling:
        return MaskedCoupling(mask, ConvConditioner(channels, 2 * channels, HIDDEN), affine_bounded())

    return Case(make, shape)


def _masked_vector(draw: Draw) -> Case:
    features = draw(2, 6)
    mask = _users(draw, features)

    def make() -> MaskedCoupling:
        return MaskedCoupling(mask, MLP(features, 2 * features, (HIDDEN,), CONTEXT), event_dims=1)

    return Case(make, (features,), (CONTEXT,))


NICE = "Dinh, Krueger and Bengio 2015, sec. 3.2"
REALNVP = "Dinh, Sohl-Dickstein and Bengio 2017, sec. 3.2"
CHECKERBOARD = "Dinh, Sohl-Dickstein and Bengio 2017, sec. 3.4"
GLOW = "Kingma and Dhariwal 2018, sec. 3.3"
SRFLOW = "Lugmayr et al. 2020, sec. 3.4"
SPLINE = "Durkan et al. 2019, sec. 3"
CONDITIONAL = "Ardizzone et al. 2019 (guided image generation)"

ENTRIES: dict[str, Entry] = {
    "Coupling, bounded affine": Entry("affine coupling, bounded scale", REALNVP, _image(affine_bounded)),
    "Coupling, bounded affine, conditional": Entry(
        "conditional affine coupling, bounded scale", SRFLOW, _image(affine_bounded, conditional=True)
    ),
    "Coupling, sigmoid affine": Entry("affine coupling, sigmoid scale", GLOW, _image(affine_sigmoid)),
    "Coupling, sigmoid affine, conditional": Entry(
        "conditional affine coupling, sigmoid scale", SRFLOW, _image(affine_sigmoid, conditional=True)
    ),
    "Coupling, additive": Entry("additive coupling", NICE, _image(Additive)),
    "Coupling, additive, conditional": Entry(
        "conditional additive coupling", SRFLOW, _image(Additive, conditional=True)
    ),
    "Coupling, spline": Entry("rational-quadratic spline coupling", SPLINE, _image(spline)),
    "Coupling, spline, conditional": Entry(
        "conditional rational-quadratic spline coupling", SPLINE, _image(spline, conditional=True)
    ),
    "Coupling, alternating channels": Entry(
        "affine coupling, alternating mask of channels", REALNVP, _image(Affine, draw_mask=_alternating)
    ),
    "Coupling, channels at will": Entry(
        "affine coupling, any mask of channels", REALNVP, _image(Affine, conditional=True, draw_mask=_users)
    ),
    "Coupling, vectors": Entry("affine coupling of vectors", REALNVP, _vector(nn.Linear, Affine)),
    "Coupling, vectors, second half kept": Entry(
        "affine coupling of vectors, the halves exchanged", REALNVP, _vector(_mlp, Affine, draw_mask=_second_half)
    ),
    "Coupling, vectors, alternating": Entry(
        "additive coupling of odd and even components", NICE, _vector(_mlp, Additive, draw_mask=_alternating)
    ),
    "Coupling, vectors, at will": Entry(
        "conditional affine coupling, any mask",
        CONDITIONAL,
        _vector(_conditional_mlp, Affine, conditional=True, draw_mask=_users),
    ),
    "Coupling, vectors, affine, scale first": Entry(
        "affine coupling of vectors, scale first", f"{REALNVP}, eq. 7-8", _vector(_mlp, ScaleShift)
    ),
    "Coupling, vectors, additive": Entry("additive coupling of vectors", NICE, _vector(_mlp, Additive)),
    "Coupling, vectors, additive, conditional": Entry(
        "conditional additive coupling of vectors",
        CONDITIONAL,
        _vector(_conditional_without_prepare, Additive, conditional=True),
    ),
    "Coupling, vectors, sigmoid affine, conditional": Entry(
        "conditional affine coupling of vectors",
        CONDITIONAL,
        _vector(_conditional_mlp, affine_sigmoid, conditional=True),
    ),
    "Coupling, vectors, spline": Entry(
        "rational-quadratic spline coupling of vectors", SPLINE, _vector(_mlp, spline, draw_mask=_alternating)
    ),
    "Coupling, vectors, spline, conditional": Entry(
        "conditional rational-quadratic spline coupling of vectors, residual network",
        SPLINE,
        _vector(_conditional_residual_mlp, spline, conditional=True),
    ),
    "MaskedCoupling, checkerboard": Entry(
        "affine coupling, checkerboard mask", CHECKERBOARD, _checkerboard(affine_bounded)
    ),
    "MaskedCoupling, checkerboard, conditional": Entry(
        "conditional affine coupling, checkerboard mask", CHECKERBOARD, _checkerboard(affine_sigmoid, conditional=True)
    ),
    "MaskedCoupling, checkerboard, additive": Entry(
        "additive coupling, checkerboard mask", CHECKERBOARD, _checkerboard(Additive)
    ),
    "MaskedCoupling, checkerboard, spline": Entry(
        "rational-quadratic spline coupling, checkerboard mask", SPLINE, _checkerboard(spline)
    ),
    "MaskedCoupling, positions at will": Entry(
        "affine coupling, any mask of positions", "Dinh, Sohl-Dickstein and Bengio 2017, eq. 9", _positions
    ),
    "MaskedCoupling, vectors": Entry(
        "conditional affine coupling of vectors, any mask",
        "Dinh, Sohl-Dickstein and Bengio 2017, eq. 9",
        _masked_vector,
    ),
}
