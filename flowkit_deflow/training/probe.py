"""Whether a model that is being trained still makes images of images."""

from typing import Any

import torch

from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.training.inputs import network_inputs

__all__ = ["LARGEST_CHANGE", "decodes"]

# Root mean square of what degrading adds, for values in [0, 1]: as much as the whole range from black to white.
LARGEST_CHANGE = 1.0


@torch.no_grad()
def decodes(module: Any) -> bool:
    """Degrade the clean crops of the first batch, and see whether they stay within bounds.

    Args:
        module: the :class:`~flowkit_deflow.training.lightning_module.DeFlowTraining`.

    Returns:
        Whether the decoded crops differ from the crops by at most ``LARGEST_CHANGE`` (root mean square); not if a value
        is not finite. They are looked at before values are cut off at black and white.
    """
    model = module.judged
    batch = module.first_batch
    images, h = network_inputs(model, batch)
    clean = (batch["domain"] == Domain.CLEAN).to(images.device)
    shared = model.normalization.to_shared(images[clean], Domain.CLEAN)
    h = None if h is None else h[clean]
    bound = model.bijector.bind(h)
    z, _ = bound(shared)
    noise = SeededNoise(0, "probe")
    numbers = [noise(f"level {i}", level.shape).to(level) for i, level in enumerate(z)]
    decoded, _ = bound.inverse(model.latents.degrade(z, numbers, h=h))
    change = (decoded - shared).double().square().mean().sqrt()
    return bool(change <= LARGEST_CHANGE)
