"""The shift of the paper's ablation whose channels are independent."""

import torch
from torch import Tensor, nn

from flowkit_deflow.method.shifts.constant import ConstantShift
from flowkit_deflow.method.shifts.shift import positive_start

__all__ = ["UncorrelatedShift"]


class UncorrelatedShift(ConstantShift):
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
        self.diagonal = nn.Parameter(torch.full((channels,), positive_start(start)))

    @property
    def factor(self) -> Tensor:
        """The diagonal ``M``."""
        return torch.diag(self.diagonal)
