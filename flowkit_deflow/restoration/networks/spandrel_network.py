"""Networks that spandrel knows by their weights: SwinIR, HAT, DAT, SPAN, NAFNet and some thirty others."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.restoration.networks.network import RestorationNetwork

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor

__all__ = ["SpandrelNetwork", "spandrel_network"]

# Receptive fields are not told. Those of convolutional networks end within about so many pixels; what attends to all of
# an image has none, and shows seams unless tiles are large.
MARGIN = 32
COLOURS = 3


class SpandrelNetwork(RestorationNetwork):
    """A network with the call, the scale and the paddings that spandrel has found out.

    Args:
        descriptor: spandrel's description of the network.
    """

    margin = MARGIN

    def __init__(self, descriptor: "ImageModelDescriptor") -> None:
        super().__init__()
        self.descriptor = descriptor
        # The same module, registered here so that it moves to a device with this one.
        self.model = descriptor.model
        self.scale = descriptor.scale
        self.alignment = descriptor.size_requirements.multiple_of

    def forward(self, images: Tensor) -> Tensor:
        """Restored images, cut to [0, 1]; spandrel takes one at a time, and keeps no gradients."""
        return torch.cat([self.descriptor(image[None]) for image in images])


def spandrel_network(state: Mapping[str, Tensor], source: str) -> SpandrelNetwork:
    """The network that some weights belong to, with them.

    Args:
        state: the weights.
        source: where they are from, for messages.

    Raises:
        UserError: spandrel is not installed or does not work, does not know the weights, or the network does not make
            RGB images of RGB images.

    References:
        https://github.com/chaiNNer-org/spandrel, for the list of networks.
    """
    if find_spec("spandrel") is None:
        raise UserError(
            f"{source}: holds no RRDB blocks; networks other than RRDBNet are recognised by spandrel: pip install "
            "'flowkit-deflow[spandrel]'"
        )
    try:
        import spandrel
    # A torchvision that was built for another torch fails in several ways.
    except (ImportError, RuntimeError, OSError) as error:
        raise UserError(
            f"{source}: spandrel, which would recognise the network, cannot be imported ({error}); install the "
            "torchvision that belongs to this torch"
        ) from error
    try:
        descriptor = spandrel.ModelLoader().load_from_state_dict(spandrel.canonicalize_state_dict(dict(state)))
    except spandrel.UnsupportedModelError:
        raise UserError(
            f"{source}: holds the weights of no network that is known here or to spandrel {spandrel.__version__}"
        ) from None
    if not isinstance(descriptor, spandrel.ImageModelDescriptor):
        raise UserError(f"{source}: {descriptor.architecture.name} needs more than an image to restore it")
    if (descriptor.input_channels, descriptor.output_channels) != (COLOURS, COLOURS):
        raise UserError(
            f"{source}: this {descriptor.architecture.name} makes {descriptor.output_channels} channels of "
            f"{descriptor.input_channels}; give one for RGB images"
        )
    return SpandrelNetwork(descriptor)
