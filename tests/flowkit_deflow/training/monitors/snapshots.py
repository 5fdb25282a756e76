"""Snapshots whose latents are known."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.method.shifts.correlated import CorrelatedShift
from flowkit_deflow.settings.presets import PRESETS
from flowkit_deflow.training.monitors.held_out_crops import Crops
from flowkit_deflow.training.monitors.snapshot import Encoded, Snapshot

COUNT, SIDE = 32, 16


def crops(images: Callable[[torch.Generator], Tensor], seed: int = 0) -> Crops:
    """Crops whose dequantised values are their own, with an h of no interest."""
    pixels = images(seeded_generator(seed, "crops"))
    return Crops(pixels, pixels, torch.full((len(pixels), 3, SIDE // 4, SIDE // 4), 0.5))


def uniform(generator: torch.Generator) -> Tensor:
    return torch.rand(COUNT, 3, SIDE, SIDE, generator=generator)


def both(images: Callable[[torch.Generator], Tensor] = uniform) -> Mapping[Domain, Crops]:
    return {domain: crops(images, int(domain)) for domain in Domain}


def model_with(deviation: float) -> DeFlow:
    """An untrained model whose shift has this standard deviation in every channel."""
    model = DeFlow(replace(PRESETS["tiny"].architecture, shift="correlated"))
    model.initialize(uniform(seeded_generator(0, "start")), torch.zeros(COUNT, dtype=torch.long))
    with torch.no_grad():
        for shift in model.latents.shifts:
            assert isinstance(shift, CorrelatedShift)
            shift.matrix.copy_(deviation * torch.eye(shift.channels))
    return model


class KnownLatents(Snapshot):
    """A snapshot whose crops are encoded as given: standard normal latents, the degraded ones with a deviation."""

    def __init__(self, model: DeFlow, deviation: float) -> None:
        super().__init__(model, both())
        self.deviation = deviation

    def encode(self, crops: Crops, domain: Domain) -> Encoded:
        deviation = self.deviation if domain is Domain.DEGRADED else 1.0
        shapes = self.model.bijector.output_shape((3, SIDE, SIDE))
        generator = seeded_generator(1, domain.name)
        z = tuple(deviation * torch.randn(COUNT, *shape, generator=generator) for shape in shapes)
        return Encoded(z, torch.zeros(COUNT))
