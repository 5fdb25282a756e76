"""What happens to an image's latents between encoding and decoding: one class for each direction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor

from flowkit_deflow.images.checks import require_temperature
from flowkit_deflow.method.latents import Domain, LatentModel

__all__ = ["Degrade", "LatentEdit", "Latents", "Restore", "Sample"]

Latents = tuple[Tensor, ...]


class LatentEdit(Protocol):
    """An edit of latents, for :func:`flowkit_deflow.method.generation.generate`."""

    @property
    def domain(self) -> Domain:
        """The domain of the given image; the result comes out in that image's colours."""

    @property
    def encodes(self) -> bool:
        """Whether the edit starts from the image's latents; one that does not gets an empty tuple for them."""

    @property
    def draws(self) -> int:
        """How many sets of standard normal numbers, each of the latents' shapes, one sample takes."""

    @property
    def grain(self) -> float:
        """The factor on the grain that is added to what was decoded; 0 for none."""

    @property
    def h_noise(self) -> float:
        """The factor on the noise in h; 0 for none."""

    def change(self, z: Latents, draws: Sequence[Latents], h: Tensor | None) -> Latents:
        """The latents to decode.

        Args:
            z: the image's latents, finest first, ``B x C x H x W`` each.
            draws: the sets of standard normal numbers.
            h: what the flow is conditioned on; ``None`` without conditioning.
        """


@dataclass(frozen=True)
class Degrade:
    r"""Add the shift between the domains: :math:`z_y = z_x + \tau u` (eqs. 3 and 8).

    Attributes:
        latents: the latent model.
        temperature: the factor :math:`\tau` on the shift.

    Examples:
        >>> import torch
        >>> from flowkit_deflow.method.shifts.uncorrelated import UncorrelatedShift
        >>> edit = Degrade(LatentModel([UncorrelatedShift(1, start=0.5)]), temperature=2.0)
        >>> z, ones = (torch.full((1, 1, 1, 1), 3.0),), (torch.ones(1, 1, 1, 1),)
        >>> edit.change(z, [ones], None)[0].item()
        4.0
    """

    latents: LatentModel
    temperature: float

    domain: ClassVar = Domain.CLEAN
    encodes: ClassVar = True
    draws: ClassVar = 1
    h_noise: ClassVar = 1.0

    def __post_init__(self) -> None:
        require_temperature(self.temperature)

    @property
    def grain(self) -> float:
        """As the shift's."""
        return self.temperature

    def change(self, z: Latents, draws: Sequence[Latents], h: Tensor | None) -> Latents:
        """The latents of a degraded version."""
        return self.latents.degrade(z, draws[0], self.temperature, h)


@dataclass(frozen=True)
class Restore:
    r"""Draw from the posterior :math:`p(z_x \mid z_y)`.

    The noise in h is part of the draw: at temperature 0 there is none, and the result is the same each time.

    Attributes:
        latents: the latent model.
        temperature: factor on the deviation from the posterior's mean.
    """

    latents: LatentModel
    temperature: float

    domain: ClassVar = Domain.DEGRADED
    encodes: ClassVar = True
    draws: ClassVar = 2
    grain: ClassVar = 0.0

    def __post_init__(self) -> None:
        require_temperature(self.temperature)

    @property
    def h_noise(self) -> float:
        """As the draw's, and never more than in training."""
        return min(self.temperature, 1.0)

    def change(self, z: Latents, draws: Sequence[Latents], h: Tensor | None) -> Latents:
        """The latents of a clean version."""
        return self.latents.restore(z, list(zip(*draws, strict=True)), self.temperature, h)


@dataclass(frozen=True)
class Sample:
    r"""Draw from a domain's prior, :math:`p(z_x)` or :math:`p(z_y)`; nothing is left of the image but h.

    Attributes:
        latents: the latent model.
        domain: the domain.
        temperature: factor on the deviation from the prior's mean.
    """

    latents: LatentModel
    domain: Domain
    temperature: float

    encodes: ClassVar = False
    draws: ClassVar = 2
    h_noise: ClassVar = 1.0

    def __post_init__(self) -> None:
        require_temperature(self.temperature)

    @property
    def grain(self) -> float:
        """Clean images have none."""
        return self.temperature if self.domain is Domain.DEGRADED else 0.0

    def change(self, z: Latents, draws: Sequence[Latents], h: Tensor | None) -> Latents:
        """The latents of a new image."""
        clean_noise, shift_noise = draws
        clean = tuple(self.temperature * noise for noise in clean_noise)
        if self.domain is Domain.CLEAN:
            return clean
        # Only the random part of u is scaled: its mean is the domain's.
        levels = zip(clean, shift_noise, self.latents.fields(clean, h), strict=True)
        return tuple(level + field.draw(self.temperature * noise) for level, noise, field in levels)
