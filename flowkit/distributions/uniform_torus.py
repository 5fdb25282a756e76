"""The uniform distribution on circles and tori."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints

from flowkit.bijector import Shape
from flowkit.constants import WithConstants
from flowkit.distributions.distribution import Distribution
from flowkit.distributions.uniform import uniform_like

__all__ = ["UniformTorus"]


class UniformTorus(WithConstants, Distribution[Tensor]):
    r"""Angles that are all alike: :math:`\log p(z) = -n \log 2 \pi`, for ``n`` of them in :math:`[-\pi, \pi]`.

    What :class:`~flowkit.Uniform` between these bounds is, without a rounded bound that an angle may lie beyond.

    Raises:
        ValueError: (when called) the temperature is not 1: on a circle there is no mean to deviate from.

    References:
        K. V. Mardia, P. E. Jupp, "Directional Statistics", Wiley 2000, sec. 3.5.3.

    Examples:
        >>> UniformTorus().log_prob(torch.zeros(5, 2)).shape
        torch.Size([5])
    """

    _device: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Samples go where the module went.
        self.register_constant("_device", partial(torch.zeros, ()))

    def _log_prob(self, z: Tensor, label: Any) -> Tensor:
        """The same number for each sample ``batch x n``."""
        dtype = torch.promote_types(z.dtype, torch.float32)
        return torch.full(z.shape[:-1], -z.shape[-1] * math.log(2 * math.pi), dtype=dtype, device=z.device)

    def _sample(
        self, batch: int, shape: Shape, label: Any, temperature: float, generator: torch.Generator | None
    ) -> Tensor:
        """Angles ``batch x shape``.

        Raises:
            ValueError: the temperature is not 1.
        """
        if temperature != 1:
            raise ValueError(f"temperature is {temperature}; a UniformTorus has no mean to deviate from: take 1")
        return math.pi * (2 * uniform_like((batch, *shape), self._device, generator) - 1)

    def support(self, event_dims: int) -> constraints.Constraint:
        """The angles, both of their ends included."""
        return constraints.independent(constraints.interval(-math.pi, math.pi), event_dims)
