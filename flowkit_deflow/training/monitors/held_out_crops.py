"""Held-out crops of both domains, the same at every look at a training."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from flowkit_deflow.method.latents import Domain
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.training.data import UnpairedCrops
from flowkit_deflow.training.inputs import network_inputs

__all__ = ["BATCHES", "Crops", "held_out_crops"]

# Medians over so many crops are steady enough, and a look at them takes the time of about three training steps.
BATCHES = 4


class Crops(NamedTuple):
    """Crops of one domain.

    Attributes:
        images: ``B x 3 x S x S`` in [0, 1], as they were read.
        dequantized: the same with dequantisation noise, which the network gets.
        h: what the flow is conditioned on, with its noise; ``None`` without conditioning.
    """

    images: Tensor
    dequantized: Tensor
    h: Tensor | None

    def part(self, which: slice) -> "Crops":
        """Some of the crops."""
        return Crops(self.images[which], self.dequantized[which], None if self.h is None else self.h[which])


def held_out_crops(crops: UnpairedCrops, model: DeFlow) -> Mapping[Domain, Crops]:
    """The crops of both domains in the first batches.

    Args:
        crops: where the batches are from.
        model: gives the dequantisation, the noise of h and the device.

    Returns:
        The crops, on the model's device.
    """
    batches = [crops[step] for step in range(BATCHES)]
    inputs = [network_inputs(model, batch) for batch in batches]
    domain = torch.cat([batch["domain"] for batch in batches])
    images = torch.cat([batch["images"] for batch in batches])
    dequantized = torch.cat([noisy for noisy, _ in inputs])
    noisy_h = [h for _, h in inputs if h is not None]
    h = torch.cat(noisy_h) if noisy_h else None

    def crops_of(which: Domain) -> Crops:
        own = domain == which
        on_device = own.to(dequantized.device)
        return Crops(images[own].to(dequantized.device), dequantized[on_device], None if h is None else h[on_device])

    return {which: crops_of(which) for which in Domain}
