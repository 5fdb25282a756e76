"""Layers of image flows: activation normalisation, squeezing, factoring out, injectors."""

from torch import nn

from flowkit.bijectors.actnorm import ActNorm
from flowkit.bijectors.factor_out import FactorOut
from flowkit.bijectors.injector import Injector
from flowkit.bijectors.squeeze import Squeeze
from flowkit.nn.conv_conditioner import ConvConditioner
from flowkit.nn.zero_conv import ZeroConv2d
from flowkit.testing.case import Case, Draw, Entry
from flowkit.testing.catalogue.networks import CONTEXT, HIDDEN
from flowkit.testing.catalogue.sizes import image_shape
from flowkit.transforms import Affine, SigmoidScale

__all__ = ["ENTRIES", "make_factor_out", "make_injector"]


def make_injector(channels: int) -> Injector:
    """An affine injector of an image as context.

    Args:
        channels: of the data.

    Returns:
        A new one.

    Examples:
        >>> make_injector(4).channels
        4
    """
    return Injector(channels, ConvConditioner(CONTEXT, 2 * channels, HIDDEN))


def make_factor_out(channels: int) -> FactorOut:
    """A cut with a prior by one convolution, as Glow's.

    Args:
        channels: before the cut.

    Returns:
        A new one.

    Examples:
        >>> make_factor_out(5).output_shape((5, 2, 2))
        ((2, 2, 2), (3, 2, 2))
    """
    kept = channels // 2
    return FactorOut(channels, ZeroConv2d(kept, 2 * (channels - kept)))


def _actnorm_image(draw: Draw) -> Case:
    shape = image_shape(draw, (1, 5))
    return Case(lambda: ActNorm(shape[0]), shape)


def _actnorm_vector(draw: Draw) -> Case:
    features = draw(1, 5)
    return Case(lambda: ActNorm(features, event_dims=1), (features,))


def _squeeze(factor: int, draw: Draw) -> Case:
    return Case(lambda: Squeeze(factor), image_shape(draw, (1, 3), factor))


def _factor_out(draw: Draw) -> Case:
    shape = image_shape(draw)
    return Case(lambda: make_factor_out(shape[0]), shape)


def _injector_image(draw: Draw) -> Case:
    shape = image_shape(draw, (1, 5))
    return Case(lambda: make_injector(shape[0]), shape, (CONTEXT, *shape[1:]))


def _injector_vector(draw: Draw) -> Case:
    features = draw(1, 5)

    def make() -> Injector:
        return Injector(features, nn.Linear(CONTEXT, 2 * features), Affine(SigmoidScale()), event_dims=1)

    return Case(make, (features,), (CONTEXT,))


GLOW = "Kingma and Dhariwal 2018"
REALNVP = "Dinh, Sohl-Dickstein and Bengio 2017"
SRFLOW = "Lugmayr et al. 2020"

ENTRIES: dict[str, Entry] = {
    "ActNorm": Entry("activation normalisation of images", f"{GLOW}, sec. 3.1", _actnorm_image),
    "ActNorm, vectors": Entry("activation normalisation of vectors", f"{GLOW}, sec. 3.1", _actnorm_vector),
    "Squeeze": Entry("space to channels", f"{REALNVP}, sec. 3.6", lambda draw: _squeeze(2, draw)),
    "Squeeze by 3": Entry("space to channels, larger blocks", f"{REALNVP}, sec. 3.6", lambda draw: _squeeze(3, draw)),
    "FactorOut": Entry("factoring out with a learned prior", f"{GLOW}, fig. 2b", _factor_out),
    "Injector": Entry("affine injector of an image", f"{SRFLOW}, sec. 3.4", _injector_image),
    "Injector, vectors": Entry("affine injector of a vector", f"{SRFLOW}, sec. 3.4", _injector_vector),
}
