"""A field whose Gaussians have one set of axes, and variances of their own at every position."""

import math

from torch import Tensor

from flowkit.ops import at_least_float32, without_autocast
from flowkit_deflow.method.shifts.field import ShiftField

__all__ = ["RotatedField"]


class RotatedField(ShiftField):
    r"""Gaussians with common axes and mean whose deviations :math:`a` differ from position to position.

    .. math:: u \sim N\left(\mu_u,\ Q \operatorname{diag}(a^2) Q^\top\right)

    Along the axes ``Q`` all channels are independent: nothing but products and quotients is left to compute.

    Args:
        mean: ``C``.
        axes: orthogonal ``Q``, ``C x C``.
        deviations: ``a``, > 0, ``B x C x H x W``.

    Examples:
        >>> import torch
        >>> field = RotatedField(torch.zeros(1), torch.eye(1), torch.full((1, 1, 1, 1), 2.0))
        >>> field.posterior(torch.full((1, 1, 1, 1), 5.0)).mean.item()
        1.0
    """

    def __init__(self, mean: Tensor, axes: Tensor, deviations: Tensor) -> None:
        self.constant_mean = at_least_float32(mean)
        self.axes = at_least_float32(axes)
        self.deviations = at_least_float32(deviations)

    @property
    def mean(self) -> Tensor:
        """``C x 1 x 1``."""
        return self.constant_mean[:, None, None]

    def deviation(self, noise: Tensor) -> Tensor:
        r""":math:`Q a \tilde u`."""
        return _product(self.axes, self.deviations * noise)

    def gain(self, z: Tensor) -> Tensor:
        r""":math:`Q (1 + a^2)^{-1} Q^\top z`."""
        return _product(self.axes, _product(self.axes.T, z) / (1 + self.deviations.square()))

    def posterior_covariance(self) -> Tensor:
        """``B x H x W x C x C``."""
        variances = self.deviations.square()
        rows = (variances / (1 + variances)).movedim(1, -1)
        return self.axes * rows[..., None, :] @ self.axes.T

    def log_prob(self, z_degraded: Tensor) -> Tensor:
        """Independent normals along the axes."""
        return self._log_normal(z_degraded, 1 + self.deviations.square())

    def log_prob_shift(self, shift: Tensor) -> Tensor:
        """Independent normals along the axes."""
        return self._log_normal(shift, self.deviations.square())

    def _log_normal(self, values: Tensor, variances: Tensor) -> Tensor:
        # The density stays out of autocast, which would take the product in half precision.
        with without_autocast(values.device):
            along = _product(self.axes.T, at_least_float32(values) - self.mean)
            terms = along.square() / variances + variances.log() + math.log(2 * math.pi)
            return -0.5 * terms.flatten(1).sum(1)


def _product(matrix: Tensor, z: Tensor) -> Tensor:
    """The matrix times the channels of every position."""
    return (matrix @ z.flatten(-2)).unflatten(-1, z.shape[-2:])
