"""A circle times intervals: an angle and heights."""

import math

import torch
from torch import Tensor

from flowkit.supports.support import Support

__all__ = ["CylinderSupport"]


class CylinderSupport(Support):
    r"""Vectors of an angle and heights, :math:`[-\pi, \pi] \times (-1, 1)^{d - 1}`, with their volume.

    References:
        D. J. Rezende et al., "Normalizing Flows on Tori and Spheres", ICML 2020, sec. 2.3.

    Examples:
        >>> CylinderSupport().contains(torch.tensor([[3.0, 0.5], [0.5, 3.0]]))
        tensor([ True, False])
    """

    description = "vectors of an angle in [-pi, pi] and heights in (-1, 1)"

    @property
    def is_product(self) -> bool:
        """Yes."""
        return True

    def contains(self, value: Tensor) -> Tensor:
        """Whether each vector is an angle and heights."""
        largest = math.pi * (1 + 4 * torch.finfo(value.dtype).eps)
        return (value[..., 0].abs() < largest) & (value[..., 1:].abs() < 1).all(-1)

    def draw(
        self, shape: tuple[int, ...], batch: tuple[int, ...], dtype: torch.dtype, generator: torch.Generator
    ) -> Tensor:
        """Uniform angles and heights, a fiftieth off their ends."""
        share = 1.96 * torch.rand(*batch, *shape, dtype=torch.float64, generator=generator) - 0.98
        return torch.cat([math.pi * share[..., :1], share[..., 1:]], -1).to(dtype)
