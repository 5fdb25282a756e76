"""Independent normals, a mean and a scale for each channel."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Shape, sum_event
from flowkit.distributions.channels import ChannelDistribution, event_shape
from flowkit.distributions.distribution import normal_like

__all__ = ["DiagonalNormal"]


class DiagonalNormal(ChannelDistribution):
    r"""Independent normals with a learned mean and standard deviation for each channel, shared by all positions.

    .. math:: \log p(z) = \sum_{c, hw} \log \mathcal N(z_{chw};\ \mu_c,\ \sigma_c^2), \qquad \sigma_c = e^{s_c}

    The learned prior of Glow's last level is one. Starts as the standard normal. Samples are reparametrised:
    gradients flow from them to the mean and the scale.

    Args:
        channels: size of the channel dimension, the first event dimension, >= 1.
        event_dims: 3 for images ``C x H x W``, 1 for vectors.

    Raises:
        ValueError: ``channels`` or ``event_dims`` is under 1, or (when called) the latents have another number of
            channels.

    References:
        Kingma and Dhariwal, "Glow: generative flow with invertible 1x1 convolutions", 2018, sec. 3.

    Examples:
        >>> base = DiagonalNormal(3)
        >>> base.log_prob(torch.zeros(2, 3)).detach()
        tensor([-2.7568, -2.7568])
        >>> base.sample(5, (3,)).shape
        torch.Size([5, 3])
    """

    def __init__(self, channels: int, event_dims: int = 1) -> None:
        super().__init__(channels, event_dims)
        self.mean = nn.Parameter(torch.zeros(channels))
        self.log_std = nn.Parameter(torch.zeros(channels))

    def _log_prob(self, z: Tensor, label: Any) -> Tensor:
        """Log-density of ``batch x channels x ...``, one number per sample."""
        self._check(event_shape(z, self.event_dims, self))
        dtype = torch.promote_types(z.dtype, torch.float32)
        mean, log_std = (self._along_event(p.to(dtype)) for p in (self.mean, self.log_std))
        white = (z.to(dtype) - mean) * (-log_std).exp()
        return sum_event(-0.5 * (white.square() + math.log(2 * math.pi)) - log_std, self.event_dims)

    def _sample(
        self, batch: int, shape: Shape, label: Any, temperature: float, generator: torch.Generator | None
    ) -> Tensor:
        """A tensor ``batch x shape``; ``shape[0]`` is the number of channels."""
        self._check(shape)
        noise = normal_like((batch, *shape), self.mean, generator)
        return self._along_event(self.mean) + temperature * self._along_event(self.log_std.exp()) * noise
