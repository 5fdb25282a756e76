"""The standard normal base distribution."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import Shape, sum_event
from flowkit.constants import WithConstants
from flowkit.counts import require_counts
from flowkit.distributions.distribution import Distribution, normal_like

__all__ = ["StandardNormal"]


class StandardNormal(WithConstants, Distribution[Any]):
    r"""Independent standard normals: :math:`\log p(z) = -\tfrac12 \sum (z^2 + \log 2\pi)`.

    Args:
        event_dims: trailing dimensions of one event: 1 for vectors, 3 for images.

    References:
        C. M. Bishop, "Pattern Recognition and Machine Learning", Springer 2006, sec. 2.3.

    Examples:
        >>> StandardNormal(event_dims=3).log_prob((torch.zeros(1, 1, 1, 2), torch.zeros(1, 4, 1, 1)))
        tensor([-5.5136])
    """

    _device: Tensor

    def __init__(self, event_dims: int = 1) -> None:
        super().__init__()
        require_counts(0, event_dims=event_dims)
        self.event_dims = event_dims
        # Samples go where the module went.
        self.register_constant("_device", partial(torch.zeros, ()))

    def _log_prob(self, z: Any, label: Any) -> Tensor:
        """Log-density of a tensor or of a tuple of them, one number per sample."""
        if isinstance(z, tuple):
            return torch.stack([self._log_prob(part, None) for part in z]).sum(0)
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        return sum_event(-0.5 * (z.square() + math.log(2 * math.pi)), self.event_dims)

    def _sample(
        self, batch: int, shape: Shape, label: Any, temperature: float, generator: torch.Generator | None
    ) -> Any:
        """A tensor ``batch x shape``, or a tuple of them for a tuple of shapes."""
        if shape and isinstance(shape[0], tuple):
            return tuple(self._sample(batch, part, None, temperature, generator) for part in shape)
        return temperature * normal_like((batch, *shape), self._device, generator)
