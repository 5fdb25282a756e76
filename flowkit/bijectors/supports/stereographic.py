"""Unit vectors to real ones, by stereographic projection."""

import math
from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import Bijector, Shape
from flowkit.supports.sphere import PuncturedSphereSupport, SphereSupport

__all__ = ["Stereographic"]


class Stereographic(Bijector[Tensor, Tensor]):
    r"""Unit vectors of ``d + 1`` entries to real vectors of ``d``: the sphere seen from its north pole.

    .. math:: z = \frac{(x_1, \dots, x_d)}{1 - x_{d+1}}, \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right|
              = d \log \frac{1 + \lVert z \rVert^2}{2} = -d \log (1 - x_{d+1})

    with respect to the sphere's area. Any flow over vectors so becomes one over directions, with a density that is
    smooth everywhere but at the pole, which lies at infinity; where that is in the way, take a flow made for the sphere
    (:func:`~flowkit.spherical_nsf`). Data are ``batch x (d + 1)``.

    Raises:
        ValueError: (when called) a vector has another length than 1, is the pole, or has fewer than two entries.

    References:
        M. C. Gemici, D. J. Rezende, S. Mohamed, "Normalizing Flows on Riemannian Manifolds", 2016, sec. 3.

    Examples:
        >>> Stereographic().inverse(torch.zeros(2))
        (tensor([ 0.,  0., -1.]), tensor(1.3863))
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

    def data_support(self) -> SphereSupport:
        """The sphere without its pole."""
        return PuncturedSphereSupport()

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        flat, height = x[..., :-1], x[..., -1:]
        # 1 - x_{d+1}, near the pole by the other entries: the difference would lose its digits there.
        distance = torch.where(
            height > 0, flat.square().sum(-1, keepdim=True) / (1 + height.clamp_min(0)), 1 - height
        ).clamp_min(torch.finfo(x.dtype).tiny)
        return flat / distance, -flat.shape[-1] * distance.log().squeeze(-1)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        # Beyond that, squares overflow; what is so far out is as near to the pole as can be told.
        farthest = torch.finfo(z.dtype).max ** 0.25
        z = z * (farthest / z.detach().abs().amax(-1, keepdim=True)).clamp_max(1)
        square = z.square().sum(-1, keepdim=True)
        x = torch.cat([2 * z, square - 1], -1) / (1 + square)
        return x, z.shape[-1] * (math.log(2) - torch.log1p(square)).squeeze(-1)
