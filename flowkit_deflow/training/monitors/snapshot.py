"""A model at a step of its training, and what it makes of held-out crops."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from flowkit import bits_per_dim
from flowkit_deflow.images.image_files import to_uint8
from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.method.latent_edits import Latents
from flowkit_deflow.method.latents import Domain, LatentLabel
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.training.monitors.held_out_crops import BATCHES, Crops

__all__ = ["Encoded", "Snapshot"]


class Encoded(NamedTuple):
    """Crops of one domain as latents.

    Attributes:
        z: the levels' latents, ``B x C x H x W`` each.
        log_det: log-determinants of the flow and of the colours' normalisation, ``B`` numbers.
    """

    z: Latents
    log_det: Tensor


class Snapshot:
    """A model at a step of its training, beside held-out crops of both domains.

    What several monitors need is computed once.

    Args:
        model: the network that is judged.
        crops: the held-out crops, on its device.
    """

    def __init__(self, model: DeFlow, crops: Mapping[Domain, Crops]) -> None:
        self.model = model
        self.crops = crops

    @property
    def dimensions(self) -> int:
        """How many numbers a crop has."""
        return self.crops[Domain.CLEAN].images[0].numel()

    @cached_property
    def encoded(self) -> dict[Domain, Encoded]:
        """The crops of both domains, each in its own colours."""
        return {domain: self.encode(crops, domain) for domain, crops in self.crops.items()}

    @cached_property
    def bits(self) -> dict[Domain, Tensor]:
        """Code length of each crop in bits per dimension, of both domains."""
        bits = {}
        for domain, (z, log_det) in self.encoded.items():
            log_prob = self.log_prob(z, self.crops[domain].h, domain) + log_det
            bits[domain] = bits_per_dim(log_prob, self.dimensions, self.model.config.bins)
        return bits

    @cached_property
    def generated(self) -> Tensor:
        """Degraded versions of the clean crops, rounded to 8 bits as real images are; ``B x 3 x S x S``."""
        versions = [
            self.model.degrade(part.images, noise=SeededNoise(0, f"monitors {number}"))
            for number, part in enumerate(_parts(self.crops[Domain.CLEAN]))
        ]
        # A model that has just gone astray gives values that have no colour.
        return to_uint8(torch.cat(versions).nan_to_num(0.5)).float() / 255

    @torch.no_grad()
    def encode(self, crops: Crops, domain: Domain) -> Encoded:
        """Latents of a domain's crops, and the log-determinants."""
        normalization = self.model.normalization
        z, log_det = [], []
        for part in _parts(crops):
            latents, of_flow = self.model.bijector(normalization.to_shared(part.dequantized, domain), part.h)
            z.append(latents)
            log_det.append(of_flow + normalization.log_det(part.dequantized, domain))
        return Encoded(tuple(torch.cat(level) for level in zip(*z, strict=True)), torch.cat(log_det))

    @torch.no_grad()
    def shifted(self, z: Latents, noise: Latents) -> Latents:
        """Latents and the shift, drawn with the noise, at the places of the degraded crops."""
        return self.model.latents.degrade(z, noise, h=self.crops[Domain.DEGRADED].h)

    @torch.no_grad()
    def log_prob(self, z: Latents, h: Tensor | None, domain: Domain) -> Tensor:
        """Log-likelihood of latents under a domain's prior, one number per crop."""
        return self.model.latents.log_prob(z, LatentLabel(domain, h))


def _parts(crops: Crops) -> Iterator[Crops]:
    """As many crops at a time as a training step has of the domain: they need less memory than it does."""
    at_once = max(len(crops.images) // BATCHES, 1)
    for start in range(0, len(crops.images), at_once):
        yield crops.part(slice(start, start + at_once))
