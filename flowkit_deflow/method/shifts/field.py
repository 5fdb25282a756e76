"""The Gaussian of the shift at every position of a level's latents."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from flowkit.ops import at_least_float32, without_autocast

__all__ = ["Posterior", "ShiftField"]


class Posterior(NamedTuple):
    r"""The Gaussian posterior of a level's clean latents given the degraded ones.

    .. math:: z_x \mid z_y \sim N\left(S^{-1}(z_y - \mu_u),\ I - S^{-1}\right), \qquad S = I + M M^\top

    where clean latents are standard normal; :class:`ShiftField` has the formula for others.

    Attributes:
        mean: per position, ``B x C x H x W``.
        covariance: ``C x C`` where it is the same at every position, else ``B x H x W x C x C``.

    Examples:
        >>> from flowkit_deflow.method.shifts.correlated import CorrelatedShift
        >>> field = CorrelatedShift(1, start=2.0).at(None, (1, 1))
        >>> posterior = field.posterior(torch.full((1, 1, 1, 1), 5.0))
        >>> posterior.mean.item(), round(posterior.covariance.item(), 4)
        (1.0, 0.8)
    """

    mean: Tensor
    covariance: Tensor


class ShiftField(ABC):
    r"""The Gaussian of the shift at every position, and what follows from it for the latents of both domains.

    .. math:: u = \mu_u + M \tilde u, \qquad z_x = m + A \tilde e, \qquad z_y = z_x + u, \qquad
              \tilde u, \tilde e \sim N(0, I)

    :math:`\mu_u` and :math:`M` may differ from position to position. Clean latents are standard normal,
    :math:`m = 0` and :math:`A = I`, unless a kind of field knows better. With the gain
    :math:`G = A A^\top (A A^\top + M M^\top)^{-1}`, the posterior is

    .. math:: z_x \mid z_y \sim N\left(m + G (z_y - m - \mu_u),\ (I - G) A A^\top\right).

    All tensors are ``B x C x H x W``. Results have the type of what they are made from; the computation is in float32
    at least, for Cholesky factors of half precision are not to be trusted.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        eqs. 2 to 5.

    Examples:
        >>> from flowkit_deflow.method.shifts.uncorrelated import UncorrelatedShift
        >>> field = UncorrelatedShift(2, start=0.5).at(None, (1, 1))
        >>> field.draw(torch.ones(1, 2, 1, 1)).detach().flatten()
        tensor([0.5000, 0.5000])
    """

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        r""":math:`\mu_u`, ``C x 1 x 1`` or ``B x C x H x W``."""

    @property
    def clean_mean(self) -> Tensor:
        """``m``, of the shape of :attr:`mean`."""
        return torch.zeros_like(self.mean)

    @abstractmethod
    def deviation(self, noise: Tensor) -> Tensor:
        r""":math:`M \tilde u` for standard normal numbers, in float32 at least."""

    def clean_deviation(self, noise: Tensor) -> Tensor:
        r""":math:`A \tilde e` for standard normal numbers, in float32 at least."""
        return noise

    @abstractmethod
    def gain(self, z: Tensor) -> Tensor:
        r""":math:`G z`, in float32 at least."""

    @abstractmethod
    def posterior_covariance(self) -> Tensor:
        """The posterior's covariance, ``C x C`` or ``B x H x W x C x C``."""

    @abstractmethod
    def log_prob(self, z_degraded: Tensor) -> Tensor:
        r"""Log-density of :math:`N(\mu_u, I + M M^\top)`, summed over positions: the latent part of eq. 4b.

        Clean latents count as standard normal here whatever ``A`` is, as they do in training.
        """

    @abstractmethod
    def log_prob_shift(self, shift: Tensor) -> Tensor:
        """Log p(u), summed over positions: the latent part of eq. 5."""

    def draw(self, noise: Tensor) -> Tensor:
        """``u`` for standard normal numbers."""
        with without_autocast(noise.device):
            return (self.mean + self.deviation(at_least_float32(noise))).to(noise.dtype)

    def posterior(self, z_degraded: Tensor) -> Posterior:
        """Mean and covariance of the clean latents given the degraded ones."""
        with without_autocast(z_degraded.device):
            z = at_least_float32(z_degraded)
            field = self.widened_for(z)
            return Posterior(field._posterior_mean(z).to(z_degraded.dtype), field.posterior_covariance())

    def widened_for(self, z_degraded: Tensor) -> "ShiftField":
        """The field with clean latents as wide as these degraded ones say they are; where it cannot tell, itself."""
        return self

    def sample_posterior(self, z_degraded: Tensor, noise: Tensor, shift_noise: Tensor, temperature: float) -> Tensor:
        r"""Draw clean latents given degraded ones; both noises standard normal, of the latents' shape.

        .. math:: z_x = m + \tau A \tilde e + G \left(z_y - m - \mu_u - \tau (A \tilde e + M \tilde u)\right)

        A draw from the joint prior is moved onto the observation, which needs no factor of the posterior's
        covariance (that is singular where M is). At temperature 0 it is the posterior's mean.
        """
        with without_autocast(z_degraded.device):
            z = at_least_float32(z_degraded)
            field = self.widened_for(z)
            own = temperature * field.clean_deviation(at_least_float32(noise))
            joint = own + temperature * field.deviation(at_least_float32(shift_noise))
            return (own + field._posterior_mean(z - joint)).to(z_degraded.dtype)

    def _posterior_mean(self, z: Tensor) -> Tensor:
        return self.clean_mean + self.gain(z - self.clean_mean - self.mean)
