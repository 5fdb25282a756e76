"""One base distribution for each level."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Shape
from flowkit.distributions.distribution import Distribution
from flowkit.distributions.parts import require_distribution

__all__ = ["Factorised"]


class Factorised(Distribution[tuple[Tensor, ...]]):
    r"""Independent distributions of a tuple of latents: :math:`\log p(z) = \sum_l \log p_l(z_l)`.

    Args:
        distributions: one for each latent, in order.

    A label goes to those parts that take one.

    Raises:
        ValueError: (when called) the number of latents is not the number of distributions.

    References:
        L. Dinh, J. Sohl-Dickstein, S. Bengio, "Density estimation using Real NVP", ICLR 2017, sec. 3.6.

    Examples:
        >>> from flowkit import Gaussian
        >>> base = Factorised([Gaussian(6), Gaussian(24)])
        >>> base.log_prob((torch.zeros(2, 6, 4, 4), torch.zeros(2, 24, 2, 2))).shape
        torch.Size([2])
    """

    def __init__(self, distributions: Iterable[Distribution[Tensor]]) -> None:
        super().__init__()
        parts = list(distributions)
        for part in parts:
            require_distribution(part, "Factorised")
        self._distributions = nn.ModuleList(parts)
        self.takes_label = any(part.takes_label for part in self.distributions)
        self.label_dims = max((part.label_dims for part in self.distributions if part.takes_label), default=0)

    @property
    def distributions(self) -> list[Distribution[Tensor]]:
        """The parts, in order."""
        return list(self._distributions)  # type: ignore[arg-type]

    def _log_prob(self, z: tuple[Tensor, ...], label: Any) -> Tensor:
        """The sum of the parts' log-densities, one number per sample."""
        if len(z) != len(self.distributions):
            raise ValueError(f"{len(z)} latents for {len(self.distributions)} distributions")
        parts = [
            d.log_prob(part, label if d.takes_label else None) for d, part in zip(self.distributions, z, strict=True)
        ]
        return torch.stack(parts).sum(0)

    def _sample(
        self, batch: int, shape: Shape, label: Any, temperature: float, generator: torch.Generator | None
    ) -> tuple[Tensor, ...]:
        """A tuple of samples, one for each shape."""
        return tuple(
            d._sample(batch, part, label if d.takes_label else None, temperature, generator)
            for d, part in zip(self.distributions, shape, strict=True)
        )
