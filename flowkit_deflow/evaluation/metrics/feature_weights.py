"""Published weights of feature networks, under the names of their files."""

from collections.abc import Mapping

import torch
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.metrics.feature_networks import FeatureNetwork

__all__ = ["load_convolutions"]


@torch.no_grad()
def load_convolutions(network: FeatureNetwork, state: Mapping[str, Tensor], source: str) -> None:
    """Load a network's convolutions; half precision is widened.

    Args:
        network: the network.
        state: ``features.convN.weight`` and ``.bias``, N counting convolutions, as the files ``lpips_*.safetensors``
            have them, or torchvision's ``features.N.weight``, N counting layers.
        source: where the weights are from, for messages.

    Raises:
        UserError: weights are missing or of another shape.
    """
    counted = any(key.startswith("features.conv") for key in state)
    layers = [number for number, layer in enumerate(network.layers) if layer in network.convolutions]
    for number, (layer, convolution) in enumerate(zip(layers, network.convolutions, strict=True)):
        name = f"features.conv{number}" if counted else f"features.{layer}"
        for key, own in ((f"{name}.weight", convolution.weight), (f"{name}.bias", convolution.bias)):
            if own is None or key not in state or state[key].shape != own.shape:
                found = tuple(state[key].shape) if key in state else "nothing"
                raise UserError(
                    f"{source}: holds {found} for {key!r}, expected {tuple(convolution.weight.shape)} and its bias; "
                    "get the file again"
                )
            own.copy_(state[key])
