"""Unit spheres."""

import torch
from torch import Tensor

from flowkit.supports.support import Support, tolerance

__all__ = ["PuncturedSphereSupport", "SphereSupport"]


class SphereSupport(Support):
    r"""Unit vectors: the sphere :math:`S^d = \{x \in \mathbb R^{d + 1} : \lVert x \rVert = 1\}`, with its surface area.

    References:
        D. J. Rezende et al., "Normalizing Flows on Tori and Spheres", ICML 2020, sec. 2.

    Examples:
        >>> SphereSupport().contains(torch.tensor([[0.6, 0.8], [1.0, 1.0]]))
        tensor([ True, False])
    """

    description = "vectors of length 1"

    def contains(self, value: Tensor) -> Tensor:
        """Whether each vector has length 1."""
        square = value.square().sum(-1, dtype=torch.promote_types(value.dtype, torch.float32))
        return (square - 1).abs() <= tolerance(value.dtype)

    def draw(
        self, shape: tuple[int, ...], batch: tuple[int, ...], dtype: torch.dtype, generator: torch.Generator
    ) -> Tensor:
        """Uniform directions."""
        normal = torch.randn(*batch, *shape, dtype=torch.float64, generator=generator)
        return (normal / normal.norm(dim=-1, keepdim=True)).to(dtype)

    def frame(self, point: Tensor) -> Tensor:
        """An orthonormal basis of what is perpendicular to the point."""
        return torch.linalg.qr(point[:, None], mode="complete").Q[:, 1:]


class PuncturedSphereSupport(SphereSupport):
    r"""Unit vectors but for the pole :math:`(0, \dots, 0, 1)`: what a plane holds of a sphere.

    References:
        M. C. Gemici, D. J. Rezende, S. Mohamed, "Normalizing Flows on Riemannian Manifolds", 2016, sec. 3.

    Examples:
        >>> PuncturedSphereSupport().contains(torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]))
        tensor([False,  True])
    """

    description = "vectors of length 1 other than the pole (0, ..., 0, 1)"

    def contains(self, value: Tensor) -> Tensor:
        """Whether each vector has length 1 and is not the pole."""
        is_pole = (value[..., :-1].square().sum(-1) == 0) & (value[..., -1] > 0)
        return super().contains(value) & ~is_pole
