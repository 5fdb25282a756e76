"""What half precision does to log-likelihoods."""

import torch

from benchmarks.deflow.networks import CROP, FACTOR, images, labels
from flowkit import bits_per_dim
from flowkit_deflow import DeFlow

__all__ = ["bits"]


@torch.no_grad()
def bits(model: DeFlow, side: int = CROP) -> dict[str, list[float]]:
    """Bits per dimension of an image of each domain, in float32 and under bfloat16 autocast.

    Args:
        model: in evaluation mode.
        side: of the images, in pixels.
    """
    x, label = images(2, side, side), labels(2)
    h = torch.rand(2, 3, side // FACTOR, side // FACTOR, generator=torch.Generator().manual_seed(0))
    found = {}
    for name, enabled in (("float32", False), ("bfloat16", True)):
        with torch.autocast(x.device.type, torch.bfloat16, enabled=enabled):
            log_prob = model.log_prob(x, label, h)
        found[name] = bits_per_dim(log_prob.float(), x[0].numel(), model.config.bins).tolist()
    return found
