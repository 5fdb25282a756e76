"""The paper's shift."""

import torch
from torch import Tensor, nn

from flowkit_deflow.method.shifts.constant import ConstantShift
from flowkit_deflow.method.shifts.shift import positive_start

__all__ = ["CorrelatedShift"]


class CorrelatedShift(ConstantShift):
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
        self.matrix = nn.Parameter(positive_start(start) * torch.eye(channels))

    @property
    def factor(self) -> Tensor:
        """``M`` itself."""
        return self.matrix
