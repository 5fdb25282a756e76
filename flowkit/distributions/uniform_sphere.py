"""The uniform distribution on a sphere."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints

from flowkit.bijector import Shape
from flowkit.constants import WithConstants
from flowkit.distributions.distribution import Distribution, normal_like
from flowkit.supports.sphere import SphereSupport

__all__ = ["UniformSphere"]


class UniformSphere(WithConstants, Distribution[Tensor]):
    r"""Directions that are all alike: the uniform distribution on the sphere :math:`S^d`, with respect to its area.

    .. math:: \log p(z) = -\log A_d, \qquad A_d = \frac{2 \pi^{(d + 1) / 2}}{\Gamma((d + 1) / 2)}

    for unit vectors ``batch x (d + 1)``: :math:`2 \pi` is the length of the circle, :math:`4 \pi` the area of the
    ordinary sphere.

    Raises:
        ValueError: (when called) the temperature is not 1: there is no mean to deviate from.

    References:
        K. V. Mardia, P. E. Jupp, "Directional Statistics", Wiley 2000, sec. 9.3.1.

    Examples:
        >>> base = UniformSphere()
        >>> base.log_prob(torch.tensor([0.0, 0.0, 1.0]))
        tensor(-2.5310)
        >>> torch.allclose(base.sample(5, (3,)).norm(dim=-1), torch.ones(5))
        True
    """

    _device: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Samples go where the module went.
        self.register_constant("_device", partial(torch.zeros, ()))

    def _log_prob(self, z: Tensor, label: Any) -> Tensor:
        """Minus the logarithm of the area, one number per sample."""
        dtype = torch.promote_types(z.dtype, torch.float32)
        return torch.full(z.shape[:-1], -_log_area(z.shape[-1]), dtype=dtype, device=z.device)

    def _sample(
        self, batch: int, shape: Shape, label: Any, temperature: float, generator: torch.Generator | None
    ) -> Tensor:
        """Unit vectors ``batch x shape``.

        Raises:
            ValueError: the temperature is not 1.
        """
        if temperature != 1:
            raise ValueError(
                f"temperature is {temperature}; a UniformSphere has no mean to deviate from: leave it at 1"
            )
        normal = normal_like((batch, *shape), self._device, generator)
        return normal / normal.norm(dim=-1, keepdim=True)

    def support(self, event_dims: int) -> constraints.Constraint:
        """The sphere."""
        return SphereSupport().constraint


def _log_area(entries: int) -> float:
    """The logarithm of the area of the sphere of unit vectors of so many entries."""
    return math.log(2) + 0.5 * entries * math.log(math.pi) - math.lgamma(0.5 * entries)
