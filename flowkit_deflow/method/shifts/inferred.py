"""The shift of the paper's ablation that training knows nothing of."""

import torch
from torch import Tensor

from flowkit_deflow.method.shifts.constant import ConstantField, ConstantShift
from flowkit_deflow.method.shifts.measure import symmetric_root
from flowkit_deflow.method.shifts.measured import MeasuredShift
from flowkit_deflow.method.shifts.moments import ClassMoments

__all__ = ["InferredShift"]


class InferredShift(ConstantShift, MeasuredShift):
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

    def scored_at(self, h: Tensor | None, size: tuple[int, int]) -> ConstantField:
        """No shift: the degraded latents are scored by the standard normal."""
        return ConstantField(torch.zeros_like(self.mean), torch.zeros_like(self.matrix))

    @property
    def classes(self) -> int:
        """One, of all places."""
        return 1

    def place_features(self, h: Tensor | None, size: tuple[int, int]) -> None:
        """None are needed for one class."""

    def lay_out_classes(self, features: Tensor) -> None:
        """There is nothing to lay out for one class."""

    def class_weights(self, h: Tensor | None, batch: int, size: tuple[int, int]) -> Tensor:
        """Every place belongs to the one class."""
        return self.mean.new_ones(batch, 1, *size)

    @torch.no_grad()
    def measure(self, clean: ClassMoments, degraded: ClassMoments) -> None:
        """Take the difference of the means and of the covariances."""
        x, y = clean.pooled(), degraded.pooled()
        self.mean.copy_((y.mean - x.mean)[0])
        self.matrix.copy_(symmetric_root(y.covariance - x.covariance)[0])

    @torch.no_grad()
    def measure_pairs(self, clean: ClassMoments, differences: ClassMoments) -> None:
        """Take the differences' own mean and covariance."""
        u = differences.pooled()
        self.mean.copy_(u.mean[0])
        self.matrix.copy_(symmetric_root(u.covariance)[0])

    def infer(self, z_clean: Tensor, z_degraded: Tensor) -> None:
        """Measure the shift from latents of unpaired images, each ``N x C x H x W``."""
        sums = []
        for z in (z_clean, z_degraded):
            sums.append(ClassMoments(1, self.channels))
            sums[-1].add(z, torch.ones_like(z[:, :1]))
        self.measure(*sums)
