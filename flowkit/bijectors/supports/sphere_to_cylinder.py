"""Spheres to an angle and heights."""

import math
from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import Bijector, Interval, Shape
from flowkit.supports.cylinder import CylinderSupport
from flowkit.supports.sphere import SphereSupport

__all__ = ["SphereToCylinder"]


class SphereToCylinder(Bijector[Tensor, Tensor]):
    r"""Unit vectors to an angle and heights: the sphere, one height after another, to a circle times an interval.

    .. math:: \theta = \operatorname{atan2}(x_2, x_1), \qquad r_k = \frac{x_{k+1}}{\rho_k}, \quad k = 2, \dots, d,
              \qquad \rho_k^2 = \sum_{j \le k + 1} x_j^2, \qquad
              \log\left|\det \frac{\partial (\theta, r)}{\partial x}\right|
              = -\sum_{k=2}^{d} \frac{k - 2}{2} \log (1 - r_k^2)

    with respect to the area of :math:`S^d`. On the ordinary sphere, :math:`d = 2`, it is Archimedes' map, which keeps
    areas. The step by which flows on circles and intervals become flows on spheres (:func:`~flowkit.spherical_nsf`).
    Data are ``batch x (d + 1)``, latents ``batch x d``: the angle in :math:`[-\pi, \pi]`, then heights in (-1, 1).

    Raises:
        ValueError: (when called) a vector has another length than 1, or fewer than two entries.

    References:
        D. J. Rezende et al., "Normalizing Flows on Tori and Spheres", ICML 2020, sec. 2.3.1, eq. 14 to 16.

    Examples:
        >>> SphereToCylinder()(torch.tensor([0.0, 0.6, 0.8]))
        (tensor([1.5708, 0.8000]), tensor(-0.))
    """

    takes_context = False

    def output_shape(self, shape: Shape) -> Shape:
        """``d + 1`` to ``d``; ValueError for fewer than two entries."""
        if shape[0] < 2:
            raise ValueError(f"unit vectors have two entries or more, got the event shape {tuple(shape)}")
        return (shape[0] - 1,)

    def input_shape(self, shape: Shape) -> Shape:
        """``d`` to ``d + 1``."""
        return (shape[0] + 1,)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """That of angles; heights are narrower."""
        return -_angle(dtype), _angle(dtype)

    def data_support(self) -> SphereSupport:
        """The sphere."""
        return SphereSupport()

    def latent_support(self) -> CylinderSupport:
        """An angle and heights."""
        return CylinderSupport()

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        radii = x.square().cumsum(-1)[..., 1:].clamp_min(torch.finfo(x.dtype).tiny)
        angle = torch.atan2(x[..., 1:2], x[..., :1])
        heights = _off_the_poles(x[..., 2:] * radii[..., 1:].rsqrt())
        # Of the heights as they are rounded: near a pole the radii say better what 1 - h^2 is, and what comes back from
        # the heights would not cancel it.
        return torch.cat([angle, heights], -1), -(_exponents(heights) * _rest(heights).log()).sum(-1)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        angle, heights = z[..., :1], _off_the_poles(z[..., 1:])
        rest = _rest(heights)
        # The radius of each height's circle, from the last one, 1, inwards.
        radii = torch.cat([rest, torch.ones_like(angle)], -1).sqrt().flip(-1).cumprod(-1).flip(-1)
        flat = torch.cat([angle.cos(), angle.sin()], -1) * radii[..., :1]
        return torch.cat([flat, heights * radii[..., 1:]], -1), (_exponents(heights) * rest.log()).sum(-1)


def _off_the_poles(heights: Tensor) -> Tensor:
    largest = 1 - torch.finfo(heights.dtype).eps
    return heights.clamp(-largest, largest)


def _rest(heights: Tensor) -> Tensor:
    """``1 - h^2``."""
    return (1 - heights) * (1 + heights)


def _exponents(heights: Tensor) -> Tensor:
    """``(k - 2) / 2`` for the heights of ``k = 2, 3, ...``."""
    return 0.5 * torch.arange(heights.shape[-1], dtype=heights.dtype, device=heights.device)


def _angle(dtype: torch.dtype) -> float:
    """A little more than pi, which is taken."""
    return math.pi * (1 + 4 * torch.finfo(dtype).eps)
