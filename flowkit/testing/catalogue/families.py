"""Families of their own: block autoregressive, Sylvester, volume-preserving, convolutions, Lipschitz convolutions."""

from collections.abc import Callable

from flowkit.bijectors.block_autoregressive import BlockNeuralAutoregressive
from flowkit.bijectors.emerging_conv import EmergingConv2d
from flowkit.bijectors.periodic_conv import PeriodicConv2d
from flowkit.bijectors.residual import Residual
from flowkit.bijectors.sylvester import Sylvester
from flowkit.bijectors.volume_preserving import VolumePreservingCoupling
from flowkit.nn.block_autoregressive import BlockAutoregressive
from flowkit.nn.conv_conditioner import ConvConditioner
from flowkit.nn.lipschitz_conv import LipschitzConvNet
from flowkit.nn.mlp import MLP
from flowkit.testing.case import Case, Draw, Entry
from flowkit.testing.catalogue.networks import CONTEXT, HIDDEN
from flowkit.testing.catalogue.sizes import image_shape

__all__ = ["ENTRIES"]


def _block_autoregressive(draw: Draw) -> Case:
    features, units = 2, draw(2, 3)
    return Case(
        lambda: BlockNeuralAutoregressive(BlockAutoregressive(features, units, 1, CONTEXT)), (features,), (CONTEXT,)
    )


def _sylvester(conditional: bool) -> Callable[[Draw], Case]:
    def build(draw: Draw) -> Case:
        features = draw(2, 5)
        rank = draw(1, 2)
        conditioner = (lambda: MLP(CONTEXT, 2 * rank * rank + rank, (HIDDEN,))) if conditional else lambda: None
        return Case(lambda: Sylvester(features, rank, conditioner()), (features,), (CONTEXT,) if conditional else None)

    return build


def _volume_preserving(draw: Draw) -> Case:
    features = draw(4, 6)
    kept = features // 2

    def make() -> VolumePreservingCoupling:
        network = MLP(kept, 2 * (features - kept), (HIDDEN,), CONTEXT)
        return VolumePreservingCoupling(features, network, event_dims=1)

    return Case(make, (features,), (CONTEXT,))


def _volume_preserving_images(draw: Draw) -> Case:
    shape = image_shape(draw, (3, 5))
    kept = shape[0] // 2
    return Case(lambda: VolumePreservingCoupling(shape[0], ConvConditioner(kept, 2 * (shape[0] - kept), HIDDEN)), shape)


def _periodic(draw: Draw) -> Case:
    shape, size = image_shape(draw, (1, 3)), 2 * draw(0, 2) + 1
    return Case(lambda: PeriodicConv2d(shape[0], size), shape)


def _emerging(draw: Draw) -> Case:
    shape = image_shape(draw, (1, 3))
    return Case(lambda: EmergingConv2d(shape[0]), shape)


def _residual_images(draw: Draw) -> Case:
    shape = image_shape(draw, (1, 1), largest=2)

    def make() -> Residual:
        return Residual(LipschitzConvNet(shape[0], (4,), CONTEXT), event_dims=3)

    # Far: a new block is nearly the identity, and stays invertible whatever its parameters.
    return Case(make, shape, (CONTEXT, *shape[1:]), deviation=2.0)


BNAF = "De Cao, Titov and Aziz 2019, sec. 3"
SYLVESTER = "van den Berg et al. 2018, eq. 8 to 13"
GIN = "Sorrenson, Rother and Köthe 2020, sec. 3.2"
EMERGING = "Hoogeboom, van den Berg and Welling 2019"
RESIDUAL_FLOW = "Chen et al. 2019, app. E.1"

ENTRIES: dict[str, Entry] = {
    "BlockNeuralAutoregressive, conditional": Entry(
        "conditional block neural autoregressive flow", BNAF, _block_autoregressive
    ),
    "Sylvester": Entry("Sylvester flow", SYLVESTER, _sylvester(conditional=False)),
    "Sylvester, conditional": Entry("conditional Sylvester flow", SYLVESTER, _sylvester(conditional=True)),
    "VolumePreservingCoupling": Entry("conditional volume-preserving coupling of vectors", GIN, _volume_preserving),
    "VolumePreservingCoupling, images": Entry("volume-preserving coupling", GIN, _volume_preserving_images),
    "PeriodicConv2d": Entry("periodic convolution", f"{EMERGING}, sec. 4", _periodic),
    "EmergingConv2d": Entry("emerging convolution", f"{EMERGING}, sec. 3", _emerging),
    "Residual, images, conditional": Entry("residual flow on images", RESIDUAL_FLOW, _residual_images),
}
