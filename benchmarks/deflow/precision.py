"""What half precision does to log-likelihoods."""

import torch

from benchmarks.deflow.networks import CROP, FACTOR, images, labels
from flowkit import bits_per_dim
from flowkit_deflow import DeFlow

__all__ = ["bits", "bits_by_precision"]


@torch.no_grad()
def bits(model: DeFlow, side: int = CROP) -> list[float]:
    """Bits per dimension of an image of each domain, the same images at each call.

    Args:
        model: in evaluation mode, on any device.
        side: of the images, in pixels.
    """
    device = next(model.parameters()).device
    x, label = images(2, side, side), labels(2)
    factor = model.config.h_factor or FACTOR
    h = torch.rand(2, 3, side // factor, side // factor, generator=torch.Generator().manual_seed(0))
    log_prob = model.log_prob(x.to(device), label.to(device), h.to(device))
    return bits_per_dim(log_prob.float(), x[0].numel(), model.config.bins).tolist()


def bits_by_precision(model: DeFlow, side: int = CROP) -> dict[str, list[float]]:
    """:func:`bits` in float32 and under bfloat16 autocast, on a CPU."""
    found = {}
    for name, enabled in (("float32", False), ("bfloat16", True)):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            found[name] = bits(model, side)
    return found
