"""The full-size AIM network with weights at which every part of it does something."""

import torch
from torch import Tensor

from flowkit import ZeroConv2d
from flowkit_deflow import Architecture, DeFlow, Domain, keep_freed_memory, preset

__all__ = ["CROP", "FACTOR", "aim", "images", "labels", "network"]

CROP = 160
"""Side of the training crops, in pixels."""


FACTOR = 8
"""Of h."""


def aim() -> DeFlow:
    """The network of the paper's AIM experiments."""
    return network(preset("aim").architecture)


def network(architecture: Architecture) -> DeFlow:
    """A network, the same at each call: its weights are random, but none of its layers is the identity."""
    # As the deflow command does; otherwise timings hang on what was freed before.
    keep_freed_memory()
    torch.manual_seed(0)
    model = DeFlow(architecture)
    with torch.no_grad():
        model.initialize(torch.rand(2, 3, 64, 64), torch.tensor([Domain.CLEAN, Domain.DEGRADED]))
        for module in model.modules():
            if isinstance(module, ZeroConv2d):
                # So small that hundreds of layers neither shrink nor stretch an image.
                module.conv.weight.normal_(std=0.003)
    return model


def images(number: int, height: int = CROP, width: int = CROP) -> Tensor:
    """Smooth random images with some noise, ``number x 3 x height x width`` in [0, 1]."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(number, 3, height // 16 + 2, width // 16 + 2, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=False)
    return (smooth + 0.02 * torch.randn(smooth.shape, generator=generator)).clamp(0, 1)


def labels(number: int) -> Tensor:
    """Half of each domain."""
    return torch.arange(number) % 2
