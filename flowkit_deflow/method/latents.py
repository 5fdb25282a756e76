"""The latent model: clean latents are standard normal, degraded ones are clean ones plus a random shift."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from flowkit import StandardNormal
from flowkit.distributions import Distribution, gaussian_log_prob, normal_like
from flowkit.ops import without_autocast

__all__ = ["CorrelatedShift", "Domain", "DomainShift", "InferredShift", "LatentModel", "Posterior", "UncorrelatedShift"]


class Domain(IntEnum):
    """The two domains of DeFlow: X, the clean images, and Y, the degraded ones.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021.

    Examples:
        >>> import torch
        >>> torch.tensor([Domain.CLEAN, Domain.DEGRADED, Domain.CLEAN])
        tensor([0, 1, 0])
    """

    #: X, whose latents are standard normal.
    CLEAN = 0
    #: Y, whose latents are shifted.
    DEGRADED = 1


class Posterior(NamedTuple):
    r"""The Gaussian posterior of a level's clean latents given the degraded ones.

    .. math:: z_x \mid z_y \sim N\left(S^{-1}(z_y - \mu_u),\ I - S^{-1}\right), \qquad S = I + M M^\top

    Attributes:
        mean: per position, ``B x C x H x W``.
        covariance: the same at every position, ``C x C``.

    Examples:
        >>> shift = CorrelatedShift(1, start=2.0)
        >>> posterior = shift.posterior(torch.full((1, 1, 1, 1), 5.0))
        >>> posterior.mean.item(), round(posterior.covariance.item(), 4)
        (1.0, 0.8)
    """

    mean: Tensor
    covariance: Tensor


class DomainShift(nn.Module, ABC):
    r"""The shift of one level's latents between the domains, the same at every position.

    .. math:: u = \mu_u + M \tilde u, \qquad \tilde u \sim N(0, I)

    Args:
        channels: channels ``C`` of the level's latents.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        eqs. 2 and 3.

    Examples:
        >>> shift = UncorrelatedShift(2, start=0.5)
        >>> shift.shift(torch.ones(1, 2, 1, 1)).detach().flatten()
        tensor([0.5000, 0.5000])
    """

    mean: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    @property
    @abstractmethod
    def factor(self) -> Tensor:
        """The factor ``M`` of the shift's covariance, ``C x C``."""

    @property
    def scored_mean(self) -> Tensor:
        """Mean of the degraded latents under the training likelihood, ``C``."""
        return self.mean

    @property
    def scored_cholesky(self) -> Tensor:
        """Cholesky factor of the degraded latents' covariance ``I + M M^T`` under the training likelihood."""
        return _cholesky_of_sum(self.factor)

    def shift(self, noise: Tensor) -> Tensor:
        """``u`` for standard normal ``noise``, both ``B x C x H x W``."""
        mean, factor, columns = _precise(self.mean, self.factor, noise.flatten(-2))
        return (mean[:, None] + factor @ columns).unflatten(-1, noise.shape[-2:]).to(noise.dtype)

    def log_prob_shift(self, shift: Tensor) -> Tensor:
        """Log p(u), summed over positions, for ``B x C x H x W``: the latent part of eq. 5."""
        # M M^T = R^T R with M^T = Q R: the Cholesky factor without squaring M's condition number.
        (factor,) = _precise(self.factor)
        upper = torch.linalg.qr(factor.T).R
        cholesky = (upper * upper.diagonal().sign()[:, None]).T
        return gaussian_log_prob(shift, self.mean, cholesky)

    def posterior(self, z_degraded: Tensor) -> Posterior:
        r"""Posterior of the clean latents: mean :math:`S^{-1}(z_y - \mu_u)`, covariance :math:`I - S^{-1}`.

        With :math:`S = I + M M^\top`; the covariance is computed as :math:`S^{-1} M M^\top`, without cancellation.
        """
        mean, factor, z = _precise(self.mean, self.factor, z_degraded)
        cholesky = _cholesky_of_sum(factor)
        return Posterior(
            self._solve(cholesky, z - mean[:, None, None]).to(z_degraded.dtype),
            torch.cholesky_solve(factor @ factor.T, cholesky),
        )

    def sample_posterior(self, z_degraded: Tensor, noise: Tensor, shift_noise: Tensor, temperature: float) -> Tensor:
        """Draw clean latents given degraded ones; both noises standard normal, of the latents' shape.

        A draw from the joint prior is moved onto the observation, which needs no factor of the posterior's
        covariance (that is singular where M is). At temperature 0 it is the posterior's mean.
        """
        shift_mean, factor, z, own = _precise(self.mean, self.factor, z_degraded, noise)
        cholesky = _cholesky_of_sum(factor)
        mean = self._solve(cholesky, z - shift_mean[:, None, None])
        joint = own + self.shift(shift_noise.to(own)) - shift_mean[:, None, None]
        return (mean + temperature * (own - self._solve(cholesky, joint))).to(z_degraded.dtype)

    @staticmethod
    def _solve(cholesky: Tensor, z: Tensor) -> Tensor:
        return torch.cholesky_solve(z.flatten(-2), cholesky).unflatten(-1, z.shape[-2:])


def _precise(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors in float32 at least: Cholesky and QR factors are not to be had in half precision, nor trusted."""
    return tuple(tensor.to(torch.promote_types(tensor.dtype, torch.float32)) for tensor in tensors)


def _cholesky_of_sum(factor: Tensor) -> Tensor:
    (factor,) = _precise(factor)
    eye = torch.eye(len(factor), dtype=factor.dtype, device=factor.device)
    # The density stays out of autocast, which would take the product in half precision.
    with without_autocast(factor.device):
        return torch.linalg.cholesky(eye + factor @ factor.T)


class CorrelatedShift(DomainShift):
    r"""A shift with full covariance: :math:`M \in \mathbb R^{C \times C}` is any matrix. The model of the paper.

    Args:
        channels: channels of the level's latents.
        start: ``M`` starts as ``start * I``. Not 0: there the likelihood's gradient in ``M`` vanishes.

    Raises:
        ValueError: ``start`` is not positive.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        eqs. 2 and 3.

    Examples:
        >>> CorrelatedShift(2).factor.detach()
        tensor([[0.0100, 0.0000],
                [0.0000, 0.0100]])
    """

    def __init__(self, channels: int, start: float = 0.01) -> None:
        super().__init__(channels)
        self.mean = nn.Parameter(torch.zeros(channels))
        self.matrix = nn.Parameter(_checked(start) * torch.eye(channels))

    @property
    def factor(self) -> Tensor:
        """``M`` itself."""
        return self.matrix


class UncorrelatedShift(DomainShift):
    r"""A shift with a diagonal :math:`M = \operatorname{diag}(m)`, for the paper's ablation.

    Args:
        channels: channels of the level's latents.
        start: every element of ``m`` at the start, > 0.

    Raises:
        ValueError: ``start`` is not positive.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        the ablation study.

    Examples:
        >>> UncorrelatedShift(2, start=0.5).factor.detach()
        tensor([[0.5000, 0.0000],
                [0.0000, 0.5000]])
    """

    def __init__(self, channels: int, start: float = 0.01) -> None:
        super().__init__(channels)
        self.mean = nn.Parameter(torch.zeros(channels))
        self.diagonal = nn.Parameter(torch.full((channels,), _checked(start)))

    @property
    def factor(self) -> Tensor:
        """The diagonal ``M``."""
        return torch.diag(self.diagonal)


class InferredShift(DomainShift):
    r"""No shift in training: both domains are scored by one standard normal; the shift is measured afterwards.

    .. math:: \mu_u = \bar z_y - \bar z_x, \qquad M M^\top = (\Sigma_y - \Sigma_x)_+

    The "not shifted" model of the paper's ablation: channel-wise mean and covariance of each domain's latents give
    ``u`` the difference of the means and the (positive part of the) difference of the covariances.

    Args:
        channels: channels of the level's latents.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        the ablation study.

    Examples:
        >>> shift = InferredShift(1)
        >>> shift.infer(torch.zeros(1, 1, 1, 2), torch.tensor([1.0, 3.0]).reshape(1, 1, 1, 2))
        >>> shift.mean, shift.factor
        (tensor([2.]), tensor([[1.]]))
    """

    matrix: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("matrix", torch.zeros(channels, channels))

    @property
    def factor(self) -> Tensor:
        """A square root of the measured covariance; 0 before it is measured."""
        return self.matrix

    @property
    def scored_mean(self) -> Tensor:
        """Zero, since the degraded latents are scored by the standard normal."""
        return torch.zeros_like(self.mean)

    @property
    def scored_cholesky(self) -> Tensor:
        """The identity."""
        return torch.eye(self.channels, dtype=self.mean.dtype, device=self.mean.device)

    @torch.no_grad()
    def infer(self, z_clean: Tensor, z_degraded: Tensor) -> None:
        """Measure the shift from latents of unpaired images, each ``N x C x H x W``."""
        (mean_x, covariance_x), (mean_y, covariance_y) = _moments(z_clean), _moments(z_degraded)
        values, vectors = torch.linalg.eigh(covariance_y - covariance_x)
        self.mean.copy_(mean_y - mean_x)
        self.matrix.copy_(vectors * values.clamp_min(0).sqrt() @ vectors.T)


def _moments(z: Tensor) -> tuple[Tensor, Tensor]:
    columns = z.movedim(1, 0).flatten(1).double()
    return columns.mean(1), torch.cov(columns, correction=0).reshape(len(columns), -1)


def _checked(start: float) -> float:
    if start <= 0:
        raise ValueError(f"the shift's start is {start}; at 0 the gradient of M vanishes: use a small positive number")
    return start


class LatentModel(Distribution[tuple[Tensor, ...]]):
    r"""The domain-dependent base distribution of DeFlow, over the latents of all levels.

    .. math:: z_x \sim N(0, I), \qquad z_y = z_x + u \sim N(\mu_u,\ I + M M^\top)

    The label of ``log_prob`` and ``sample`` is the domain.

    Args:
        shifts: one :class:`DomainShift` for each level, finest first.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        eqs. 2, 4a and 4b.

    Examples:
        >>> model = LatentModel([CorrelatedShift(6), CorrelatedShift(24)])
        >>> latents = (torch.zeros(2, 6, 4, 4), torch.zeros(2, 24, 2, 2))
        >>> model.log_prob(latents, torch.tensor([Domain.CLEAN, Domain.DEGRADED])).shape
        torch.Size([2])
    """

    def __init__(self, shifts: Sequence[DomainShift]) -> None:
        super().__init__()
        self._shifts = nn.ModuleList(shifts)
        self._standard = StandardNormal(event_dims=3)

    @property
    def shifts(self) -> list[DomainShift]:
        """The levels' shifts, finest first."""
        return list(self._shifts)  # type: ignore[arg-type]

    def log_prob(self, z: tuple[Tensor, ...], label: Any = None) -> Tensor:
        """Marginal log-likelihood of the latents, eqs. 4a and 4b, one number per sample.

        Args:
            z: the levels' latents, ``B x C x H x W`` each.
            label: the domain: a :class:`Domain`, or a tensor of ``B`` zeros and ones.

        Raises:
            ValueError: there is no domain, or another number of levels.
        """
        self._check_levels(z)
        degraded = _is_degraded(label, z[0])
        total = torch.zeros((), device=z[0].device)
        for level, shift in zip(z, self.shifts, strict=True):
            clean_log_prob = self._standard.log_prob(level)
            degraded_log_prob = gaussian_log_prob(level, shift.scored_mean, shift.scored_cholesky)
            total = total + torch.where(degraded, degraded_log_prob, clean_log_prob)
        return total

    def log_prob_pair(self, z_clean: tuple[Tensor, ...], z_degraded: tuple[Tensor, ...]) -> Tensor:
        """Log p(z_y | z_x) of paired images, the latent part of eq. 5, one number per sample."""
        self._check_levels(z_clean)
        self._check_levels(z_degraded)
        clean, degraded = _precise(*z_clean), _precise(*z_degraded)
        levels = zip(clean, degraded, self.shifts, strict=True)
        return torch.stack([shift.log_prob_shift(y - x) for x, y, shift in levels]).sum(0)

    def degrade(self, z: tuple[Tensor, ...], noise: Sequence[Tensor], temperature: float = 1.0) -> tuple[Tensor, ...]:
        """Latents of a degraded version: ``z + temperature * u`` (eqs. 3 and 8), given standard normal noise."""
        levels = zip(z, noise, self.shifts, strict=True)
        return tuple(x + temperature * shift.shift(n) for x, n, shift in levels)

    def posterior(self, z: tuple[Tensor, ...]) -> tuple[Posterior, ...]:
        """Posterior of the clean latents given the degraded ones, per level."""
        return tuple(shift.posterior(level) for level, shift in zip(z, self.shifts, strict=True))

    def restore(
        self, z: tuple[Tensor, ...], noise: Sequence[tuple[Tensor, Tensor]], temperature: float = 1.0
    ) -> tuple[Tensor, ...]:
        """Draw clean latents from the posterior; two standard normal tensors per level. Temperature 0: its mean."""
        levels = zip(z, noise, self.shifts, strict=True)
        return tuple(shift.sample_posterior(level, *pair, temperature) for level, pair, shift in levels)

    def sample(
        self,
        batch: int,
        shape: Any,
        label: Any = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, ...]:
        """Draw latents of a domain; see :meth:`flowkit.distributions.Distribution.sample`."""
        latents = []
        for part, shift in zip(shape, self.shifts, strict=True):
            like = shift.mean
            z = normal_like((batch, *part), like, generator)
            u = shift.shift(normal_like((batch, *part), like, generator)) - shift.mean[:, None, None]
            degraded = _is_degraded(label, z).to(z.dtype).reshape(-1, 1, 1, 1)
            latents.append(temperature * (z + degraded * u) + degraded * shift.mean[:, None, None])
        return tuple(latents)

    def _check_levels(self, z: tuple[Tensor, ...]) -> None:
        if len(z) != len(self.shifts):
            raise ValueError(f"{len(z)} latents for a model of {len(self.shifts)} levels")


def _is_degraded(domain: Any, like: Tensor) -> Tensor:
    if domain is None:
        raise ValueError(
            "the latent model depends on the domain: pass Domain.CLEAN, Domain.DEGRADED or a tensor of them"
        )
    return torch.as_tensor(domain, device=like.device).eq(int(Domain.DEGRADED))
