"""What the network gets of a batch."""

from torch import Tensor

from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.training.data import Batch

__all__ = ["network_inputs"]


def network_inputs(model: DeFlow, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Dequantised images, and h with its noise (None without conditioning)."""
    images = batch["images"] + (batch["dequantization"] - 0.5) / model.config.bins
    if batch["h"] is None:
        return images, None
    return images, model.noisy_h(batch["h"], batch["domain"], batch["h_noise"])
