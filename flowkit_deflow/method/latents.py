"""The latent model: clean latents are standard normal, degraded ones are clean ones plus a random shift."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from flowkit import StandardNormal
from flowkit.distributions import Distribution, normal_like
from flowkit.ops import at_least_float32
from flowkit_deflow.method.shifts.field import Posterior, ShiftField
from flowkit_deflow.method.shifts.shift import DomainShift

__all__ = ["Domain", "LatentLabel", "LatentModel"]


class Domain(IntEnum):
    """The two domains of DeFlow: X, the clean images, and Y, the degraded ones.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021.

    Examples:
        >>> import torch
        >>> torch.tensor([Domain.CLEAN, Domain.DEGRADED, Domain.CLEAN])
        tensor([0, 1, 0])
    """

    #: X, whose latents are standard normal.
    CLEAN = 0
    #: Y, whose latents are shifted.
    DEGRADED = 1


class LatentLabel(NamedTuple):
    """What the latents' distribution is conditioned on: the domain, and h where the shift depends on it.

    Attributes:
        domain: a :class:`Domain`, or a tensor of ``B`` zeros and ones.
        h: what the flow is conditioned on; ``None`` without conditioning.

    Examples:
        >>> LatentLabel(Domain.DEGRADED).h is None
        True
    """

    domain: Domain | Tensor
    h: Tensor | None = None


class LatentModel(Distribution[tuple[Tensor, ...]]):
    r"""The domain-dependent base distribution of DeFlow, over the latents of all levels.

    .. math:: z_x \sim N(0, I), \qquad z_y = z_x + u \sim N(\mu_u,\ I + M M^\top)

    The label of ``log_prob`` and ``sample`` is a :class:`LatentLabel`, or the domain alone where no shift depends on
    h. What else takes ``h`` takes what the flow is conditioned on, ``None`` without conditioning.

    ``log_prob`` is the marginal log-likelihood of the latents (eqs. 4a and 4b) that training maximises: a shift that is
    measured after training is scored as it was trained (:meth:`DomainShift.scored_at
    <flowkit_deflow.DomainShift.scored_at>`).

    Args:
        shifts: one :class:`DomainShift` for each level, finest first.

    Raises:
        ValueError: (when called) there is no domain, no h though a shift depends on it, or another number of levels.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        eqs. 2, 4a and 4b.

    Examples:
        >>> from flowkit_deflow.method.shifts.correlated import CorrelatedShift
        >>> model = LatentModel([CorrelatedShift(6), CorrelatedShift(24)])
        >>> latents = (torch.zeros(2, 6, 4, 4), torch.zeros(2, 24, 2, 2))
        >>> model.log_prob(latents, torch.tensor([Domain.CLEAN, Domain.DEGRADED])).shape
        torch.Size([2])
    """

    takes_label = True

    def __init__(self, shifts: Sequence[DomainShift]) -> None:
        super().__init__()
        self._shifts = nn.ModuleList(shifts)
        self._standard = StandardNormal(event_dims=3)

    @property
    def shifts(self) -> list[DomainShift]:
        """The levels' shifts, finest first."""
        return list(self._shifts)  # type: ignore[arg-type]

    def fields(self, z: Sequence[Tensor], h: Tensor | None) -> list[ShiftField]:
        """The levels' shifts at the places of h, for latents of these shapes."""
        return [shift.at(h, _size(level)) for level, shift in zip(z, self.shifts, strict=True)]

    def _log_prob(self, z: tuple[Tensor, ...], label: Any) -> Tensor:
        self._check_levels(z)
        domain, h = _label(label)
        degraded = _is_degraded(domain, z[0])
        total = torch.zeros((), device=z[0].device)
        for level, shift in zip(z, self.shifts, strict=True):
            clean_log_prob = self._standard.log_prob(level)
            degraded_log_prob = shift.scored_at(h, _size(level)).log_prob(level)
            total = total + torch.where(degraded, degraded_log_prob, clean_log_prob)
        return total

    def log_prob_pair(
        self, z_clean: tuple[Tensor, ...], z_degraded: tuple[Tensor, ...], h: Tensor | None = None
    ) -> Tensor:
        """Log p(z_y | z_x) of paired images, the latent part of eq. 5, one number per sample."""
        self._check_levels(z_clean)
        self._check_levels(z_degraded)
        levels = zip(z_clean, z_degraded, self.fields(z_clean, h), strict=True)
        return torch.stack(
            [field.log_prob_shift(at_least_float32(y) - at_least_float32(x)) for x, y, field in levels]
        ).sum(0)

    def degrade(
        self, z: tuple[Tensor, ...], noise: Sequence[Tensor], temperature: float = 1.0, h: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Latents of a degraded version: ``z + temperature * u`` (eqs. 3 and 8), given standard normal noise."""
        levels = zip(z, noise, self.fields(z, h), strict=True)
        return tuple(x + temperature * field.draw(n) for x, n, field in levels)

    def posterior(self, z: tuple[Tensor, ...], h: Tensor | None = None) -> tuple[Posterior, ...]:
        """Posterior of the clean latents given the degraded ones, per level."""
        return tuple(field.posterior(level) for level, field in zip(z, self.fields(z, h), strict=True))

    def restore(
        self,
        z: tuple[Tensor, ...],
        noise: Sequence[tuple[Tensor, Tensor]],
        temperature: float = 1.0,
        h: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Draw clean latents from the posterior; two standard normal tensors per level. Temperature 0: its mean."""
        levels = zip(z, noise, self.fields(z, h), strict=True)
        return tuple(field.sample_posterior(level, *pair, temperature) for level, pair, field in levels)

    def _sample(
        self, batch: int, shape: Any, label: Any, temperature: float, generator: torch.Generator | None
    ) -> tuple[Tensor, ...]:
        domain, h = _label(label)
        latents = []
        for part, shift in zip(shape, self.shifts, strict=True):
            z, noise = (normal_like((batch, *part), shift.mean, generator) for _ in range(2))
            degraded = _is_degraded(domain, z).to(z.dtype).reshape(-1, 1, 1, 1)
            field = shift.at(h, _size(z))
            # The temperature leaves the mean where it is.
            deviation = temperature * (z + degraded * field.deviation(at_least_float32(noise)))
            latents.append((deviation + degraded * field.mean).to(z.dtype))
        return tuple(latents)

    def _check_levels(self, z: tuple[Tensor, ...]) -> None:
        if len(z) != len(self.shifts):
            raise ValueError(f"{len(z)} latents for a model of {len(self.shifts)} levels")


def _size(z: Tensor) -> tuple[int, int]:
    return z.shape[-2], z.shape[-1]


def _label(label: Any) -> LatentLabel:
    return label if isinstance(label, LatentLabel) else LatentLabel(label)


def _is_degraded(domain: Any, like: Tensor) -> Tensor:
    if domain is None:
        raise ValueError(
            "the latent model depends on the domain: pass Domain.CLEAN, Domain.DEGRADED or a tensor of them"
        )
    return torch.as_tensor(domain, device=like.device).eq(int(Domain.DEGRADED))
