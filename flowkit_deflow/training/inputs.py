"""What the network gets of a batch."""

from torch import Tensor

from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.training.data import Batch

__all__ = ["network_inputs"]


def network_inputs(model: DeFlow, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Dequantised images, and h with its noise (None without conditioning), on the model's device."""
    device = next(model.parameters()).device
    images = (batch["images"] + (batch["dequantization"] - 0.5) / model.config.bins).to(device)
    h, noise = batch["h"], batch["h_noise"]
    if h is None or noise is None:
        return images, None
    return images, model.noisy_h(h.to(device), batch["domain"].to(device), noise.to(device))
