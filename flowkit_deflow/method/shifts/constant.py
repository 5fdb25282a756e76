"""Shifts that are the same at every position, as the paper's are."""

import torch
from torch import Tensor

from flowkit.distributions import gaussian_log_prob
from flowkit.ops import at_least_float32, without_autocast
from flowkit_deflow.method.shifts.field import ShiftField
from flowkit_deflow.method.shifts.shift import DomainShift

__all__ = ["ConstantField", "ConstantShift"]


class ConstantField(ShiftField):
    r"""One Gaussian :math:`N(\mu_u, M M^\top)` for all positions; one Cholesky factor serves them all.

    Args:
        mean: ``C``.
        factor: ``M``, ``C x C``.

    Examples:
        >>> field = ConstantField(torch.ones(1), torch.eye(1))
        >>> field.log_prob(torch.ones(1, 1, 1, 1))
        tensor([-1.2655])
    """

    def __init__(self, mean: Tensor, factor: Tensor) -> None:
        self.constant_mean = at_least_float32(mean)
        self.factor = at_least_float32(factor)

    @property
    def cholesky(self) -> Tensor:
        """The Cholesky factor of ``I + M M^T``."""
        eye = torch.eye(len(self.factor), dtype=self.factor.dtype, device=self.factor.device)
        # The density stays out of autocast, which would take the product in half precision.
        with without_autocast(self.factor.device):
            return torch.linalg.cholesky(eye + self.factor @ self.factor.T)

    @property
    def mean(self) -> Tensor:
        """``C x 1 x 1``."""
        return self.constant_mean[:, None, None]

    def deviation(self, noise: Tensor) -> Tensor:
        """One product for all positions."""
        return (self.factor @ noise.flatten(-2)).unflatten(-1, noise.shape[-2:])

    def gain(self, z: Tensor) -> Tensor:
        r""":math:`(I + M M^\top)^{-1} z`."""
        return torch.cholesky_solve(z.flatten(-2), self.cholesky).unflatten(-1, z.shape[-2:])

    def posterior_covariance(self) -> Tensor:
        r""":math:`I - S^{-1}`, computed as :math:`S^{-1} M M^\top`, without cancellation; ``C x C``."""
        return torch.cholesky_solve(self.factor @ self.factor.T, self.cholesky)

    def log_prob(self, z_degraded: Tensor) -> Tensor:
        """Through the Cholesky factor, never through an inverse."""
        return gaussian_log_prob(z_degraded, self.constant_mean, self.cholesky)

    def log_prob_shift(self, shift: Tensor) -> Tensor:
        """By the Cholesky factor of ``M M^T``, which is found without squaring M's condition number."""
        # M M^T = R^T R with M^T = Q R.
        upper = torch.linalg.qr(self.factor.T).R
        cholesky = (upper * upper.diagonal().sign()[:, None]).T
        return gaussian_log_prob(shift, self.constant_mean, cholesky)


class ConstantShift(DomainShift):
    """A shift that does not ask h.

    Args:
        channels: channels of the level's latents.
    """

    def at(self, h: Tensor | None, size: tuple[int, int]) -> ConstantField:
        """The same field for every h and of every size."""
        return ConstantField(self.mean, self.factor)
