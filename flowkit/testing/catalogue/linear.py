"""Layers that mix the channels: matrices of every form, 1x1 convolutions, permutations."""

from collections.abc import Callable
from typing import TypeAlias

from flowkit.bijectors.channels import ChannelBijector
from flowkit.bijectors.householder import Householder
from flowkit.bijectors.invertible_conv import Conv1x1, HouseholderConv1x1, LUConv1x1
from flowkit.bijectors.linear import Linear
from flowkit.bijectors.lu import LULinear
from flowkit.bijectors.orthogonal import Orthogonal
from flowkit.bijectors.permutation import Permutation, Reversal
from flowkit.bijectors.qr import QRLinear
from flowkit.bijectors.rotation import Rotation
from flowkit.bijectors.woodbury import Woodbury
from flowkit.testing.case import Case, Draw, Entry
from flowkit.testing.catalogue.sizes import image_shape

__all__ = ["ENTRIES"]

# Makes a layer of a number of channels and of trailing event dimensions.
Make: TypeAlias = Callable[[int, int], ChannelBijector]


def _vectors(make: Make, draw: Draw) -> Case:
    """On vectors."""
    features = draw(2, 5)
    return Case(lambda: make(features, 1), (features,))


def _images(make: Make, draw: Draw) -> Case:
    """On images."""
    shape = image_shape(draw)
    return Case(lambda: make(shape[0], 3), shape)


def _sequences(make: Make, draw: Draw) -> Case:
    """On channels x time."""
    shape = draw(2, 5), draw(1, 4)
    return Case(lambda: make(shape[0], 2), shape)


def _householder(channels: int, event_dims: int) -> ChannelBijector:
    return Householder(channels, 2, event_dims)


def _qr(channels: int, event_dims: int) -> ChannelBijector:
    return QRLinear(channels, None, event_dims)


def _qr_of_two(channels: int, event_dims: int) -> ChannelBijector:
    return QRLinear(channels, 2, event_dims)


def _woodbury(channels: int, event_dims: int) -> ChannelBijector:
    return Woodbury(channels, 2, event_dims)


def _permutation(draw: Draw) -> Make:
    first = draw(0, 1)
    return lambda channels, event_dims: Permutation([*range(first + 1, channels), *range(first + 1)], event_dims)


GLOW = "Kingma and Dhariwal 2018, sec. 3.2"
ORTHOGONAL = "Golinski, Lezcano-Casado and Rainforth 2019"
REFLECTIONS = "Tomczak and Welling 2016"
EMERGING = "Hoogeboom, van den Berg and Welling 2019"
WOODBURY = "Lu and Huang 2020"
NICE = "Dinh, Krueger and Bengio 2015"
MAF = "Papamakarios, Pavlakou and Murray 2017"

ENTRIES: dict[str, Entry] = {
    "Linear": Entry("dense linear layer", GLOW, lambda draw: _vectors(Linear, draw)),
    "Conv1x1": Entry(
        "invertible 1x1 convolution", GLOW, lambda draw: _images(lambda channels, _: Conv1x1(channels), draw)
    ),
    "LULinear": Entry("LU linear layer", GLOW, lambda draw: _vectors(LULinear, draw)),
    "LULinear, sequences": Entry("LU linear layer over channels x time", GLOW, lambda draw: _sequences(LULinear, draw)),
    "LUConv1x1": Entry(
        "invertible 1x1 convolution, LU", GLOW, lambda draw: _images(lambda channels, _: LUConv1x1(channels), draw)
    ),
    "QRLinear": Entry("QR linear layer", EMERGING, lambda draw: _vectors(_qr, draw)),
    "QRLinear, images": Entry("1x1 convolution, QR", EMERGING, lambda draw: _images(_qr_of_two, draw)),
    "Householder": Entry("Householder flow", REFLECTIONS, lambda draw: _vectors(_householder, draw)),
    "HouseholderConv1x1": Entry(
        "orthogonal 1x1 convolution",
        REFLECTIONS,
        lambda draw: _images(lambda channels, _: HouseholderConv1x1(channels), draw),
    ),
    "Orthogonal": Entry("orthogonal layer, Cayley transform", ORTHOGONAL, lambda draw: _vectors(Orthogonal, draw)),
    "Orthogonal, images": Entry(
        "orthogonal 1x1 convolution, Cayley transform", ORTHOGONAL, lambda draw: _images(Orthogonal, draw)
    ),
    "Rotation": Entry("rotation, matrix exponential", ORTHOGONAL, lambda draw: _vectors(Rotation, draw)),
    "Rotation, images": Entry("1x1 rotation, matrix exponential", ORTHOGONAL, lambda draw: _images(Rotation, draw)),
    "Woodbury": Entry("Woodbury transformation", WOODBURY, lambda draw: _vectors(_woodbury, draw)),
    "Woodbury, images": Entry(
        "Woodbury transformation of an image's channels", WOODBURY, lambda draw: _images(_woodbury, draw)
    ),
    "Permutation": Entry("fixed permutation", NICE, lambda draw: _vectors(_permutation(draw), draw)),
    "Permutation, images": Entry(
        "fixed permutation of an image's channels", NICE, lambda draw: _images(_permutation(draw), draw)
    ),
    "Reversal": Entry("reversal of the order", MAF, lambda draw: _vectors(Reversal, draw)),
    "Reversal, images": Entry("reversal of an image's channels", MAF, lambda draw: _images(Reversal, draw)),
}
