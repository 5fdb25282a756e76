"""A small residual network, for processors."""

import torch.nn.functional as F
from torch import Tensor, nn

from flowkit_deflow.restoration.networks.network import RestorationNetwork
from flowkit_deflow.restoration.networks.residual_block import ResidualBlock

__all__ = ["ResidualNet"]


class ResidualNet(RestorationNetwork):
    r"""Residual blocks at the degraded image's resolution; one convolution gives what is added to the image, enlarged.

    .. math:: x = \operatorname{up}_s(y) + \operatorname{shuffle}_s(f(y))

    with nearest-neighbour enlargement, the last convolution of f starting at zero: an untrained network enlarges.

    Args:
        scale: the restored image's size over the degraded one's, from 1 on.
        features: channels of the blocks.
        blocks: number of blocks.

    References:
        B. Lim, S. Son, H. Kim, S. Nah, K. M. Lee, "Enhanced Deep Residual Networks for Single Image Super-Resolution",
        CVPR workshops 2017, sec. 3; W. Shi et al., "Real-Time Single Image and Video Super-Resolution Using an
        Efficient Sub-Pixel Convolutional Neural Network", CVPR 2016, for the shuffle.

    Examples:
        >>> import torch
        >>> ResidualNet(scale=3, features=8, blocks=1)(torch.rand(1, 3, 5, 7)).shape
        torch.Size([1, 3, 15, 21])
    """

    def __init__(self, scale: int = 4, features: int = 32, blocks: int = 6) -> None:
        super().__init__()
        self.scale = scale
        self.conv_first = nn.Conv2d(3, features, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(features) for _ in range(blocks)))
        self.conv_last = nn.Conv2d(features, 3 * scale**2, 3, padding=1)
        nn.init.zeros_(self.conv_last.weight)
        assert self.conv_last.bias is not None
        nn.init.zeros_(self.conv_last.bias)
        # Each convolution sees one pixel farther: tiles are exact.
        self.margin = 2 * blocks + 2

    def forward(self, images: Tensor) -> Tensor:
        """Restored images."""
        enlarged = F.interpolate(images, scale_factor=self.scale, mode="nearest")
        features = F.relu(self.conv_first(images))
        return enlarged + F.pixel_shuffle(self.conv_last(self.blocks(features)), self.scale)
