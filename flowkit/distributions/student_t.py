"""Student's t: a base distribution with heavy tails."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.bijector import Shape, sum_event
from flowkit.distributions.channels import ChannelDistribution, event_shape
from flowkit.distributions.distribution import normal_like
from flowkit.ops.private import gamma_variates

__all__ = ["StudentT"]

# Above one degree of freedom the mean exists, which the temperature scales deviations from.
MINIMUM = 1.0


class StudentT(ChannelDistribution):
    r"""Independent Student t variables, with learned degrees of freedom, location and scale for each channel.

    .. math:: p(z) = \prod_{c, hw} \frac{\Gamma(\frac{\nu_c + 1}{2})}{\Gamma(\frac{\nu_c}{2}) \sqrt{\pi\nu_c}\,\sigma_c}
              \Bigl(1 + \frac{t^2}{\nu_c}\Bigr)^{-\frac{\nu_c + 1}{2}}, \qquad t = \frac{z_{chw} - \mu_c}{\sigma_c},
              \qquad \nu_c = 1 + \mathrm{softplus}(r_c)

    Heavy tails keep outliers from dominating the training of a flow. The degrees of freedom stay above 1, so that the
    mean exists. Starts with location 0, scale 1 and the degrees asked for. Samples
    :math:`\mu + \sigma\,\varepsilon\sqrt{\nu / 2g}`, ``g`` from :math:`\Gamma(\nu/2, 1)`, are reparametrised:
    gradients flow from them to all three parameters (to the degrees by the implicit gradient of the gamma).

    Args:
        channels: size of the channel dimension, the first event dimension, >= 1.
        event_dims: 3 for images ``C x H x W``, 1 for vectors.
        degrees: degrees of freedom at the start, > 1.

    Raises:
        ValueError: ``degrees`` is not above 1, ``channels`` or ``event_dims`` is under 1, or (when called) the
            latents have another number of channels.

    References:
        Alexanderson and Henter, "Robust model training and generalisation with Studentising flows", 2020.
        Figurnov, Mohamed and Mnih, "Implicit reparameterization gradients", 2018 (the gamma's gradient).

    Examples:
        >>> base = StudentT(3)
        >>> base.log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
        >>> base.sample(5, (3,)).shape
        torch.Size([5, 3])
    """

    def __init__(self, channels: int, event_dims: int = 1, degrees: float = 5.0) -> None:
        super().__init__(channels, event_dims)
        if not degrees > MINIMUM:
            raise ValueError(f"degrees is {degrees}; StudentT needs more than {MINIMUM:g}, else it has no mean")
        above = degrees - MINIMUM
        # The inverse of the softplus, which does not overflow.
        raw = above + math.log(-math.expm1(-above))
        self.mean = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.raw_degrees = nn.Parameter(torch.full((channels,), raw))

    @property
    def degrees(self) -> Tensor:
        """Degrees of freedom, one number per channel, > 1."""
        return MINIMUM + F.softplus(self.raw_degrees)

    def _log_prob(self, z: Tensor, label: Any) -> Tensor:
        """Log-density of ``batch x channels x ...``, one number per sample."""
        self._check(event_shape(z, self.event_dims, self))
        dtype = torch.promote_types(z.dtype, torch.float32)
        mean, log_scale, raw = (p.to(dtype) for p in (self.mean, self.log_scale, self.raw_degrees))
        degrees = MINIMUM + F.softplus(raw)
        normaliser = log_scale + 0.5 * math.log(2 * math.pi) - _log_gamma_step(degrees / 2)
        t = (z.to(dtype) - self._along_event(mean)) * self._along_event((-log_scale).exp())
        degrees, normaliser = self._along_event(degrees), self._along_event(normaliser)
        return sum_event(-0.5 * (degrees + 1) * torch.log1p(t.square() / degrees) - normaliser, self.event_dims)

    def _sample(
        self, batch: int, shape: Shape, label: Any, temperature: float, generator: torch.Generator | None
    ) -> Tensor:
        """A tensor ``batch x shape``; ``shape[0]`` is the number of channels."""
        self._check(shape)
        mean, scale, degrees = (self._along_event(p) for p in (self.mean, self.log_scale.exp(), self.degrees))
        noise = normal_like((batch, *shape), self.mean, generator)
        gamma = _gamma((degrees / 2).expand(batch, *shape), generator)
        return mean + temperature * scale * noise * (degrees / (2 * gamma)).sqrt()


def _gamma(concentration: Tensor, generator: torch.Generator | None) -> Tensor:
    """Gamma variables of that shape and rate 1, differentiable, drawn on the generator's own device."""
    device = concentration.device if generator is None else generator.device
    dtype = torch.promote_types(concentration.dtype, torch.float32)
    drawn = gamma_variates(concentration.to(device, dtype), generator)
    # Rounded to zero, it would make an infinite sample.
    return drawn.clamp_min(torch.finfo(dtype).tiny).to(concentration)


def _log_gamma_step(a: Tensor) -> Tensor:
    """The value of log Gamma(a + 1/2) - log Gamma(a) - log(a) / 2, for a > 1/2.

    The difference of the two loses all its digits where a is large (in float32 from about 1e5 on); from 20 on, five
    terms of its asymptotic series are exact in float64.
    """
    small = a.clamp_max(20.0)
    near = torch.lgamma(small + 0.5) - torch.lgamma(small) - 0.5 * small.log()
    r = 1 / a.clamp_min(20.0)
    far = r * (-1 / 8 + r**2 * (1 / 192 + r**2 * (-1 / 640 + r**2 * (17 / 14336 - r**2 * 31 / 18432))))
    return torch.where(a < 20, near, far)
