"""The block of small restoration networks."""

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ResidualBlock"]


class ResidualBlock(nn.Module):
    """Two convolutions with a ReLU between them, added to what they were given.

    Args:
        features: channels.

    References:
        B. Lim, S. Son, H. Kim, S. Nah, K. M. Lee, "Enhanced Deep Residual Networks for Single Image Super-Resolution",
        CVPR workshops 2017, sec. 3.1.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """``B x features x H x W`` to the same shape."""
        return x + self.conv2(F.relu(self.conv1(x)))
