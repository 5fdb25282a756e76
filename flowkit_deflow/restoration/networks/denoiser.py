"""A denoiser that works at half the image's resolution."""

import torch.nn.functional as F
from torch import Tensor, nn

from flowkit_deflow.images.resize import pad_to_multiple
from flowkit_deflow.restoration.networks.network import RestorationNetwork
from flowkit_deflow.restoration.networks.residual_block import ResidualBlock

__all__ = ["Denoiser"]

HALF = 2
# Noise is a few hundredths of the range, and pictures lie about its middle. With a network's output and input at their
# own scales the first thousand steps went by without its finding weak noise: it learned the brightness first.
MIDDLE, NOISE = 0.5, 0.1


class Denoiser(RestorationNetwork):
    r"""Residual blocks that give the noise, :math:`x = y - 0.1 f(y - 0.5)`, of 2 x 2 pixels side by side as channels.

    At half the resolution a convolution costs a quarter and sees twice as far.

    Args:
        features: channels of the blocks.
        blocks: number of blocks, of two convolutions each.

    References:
        K. Zhang, W. Zuo, L. Zhang, "FFDNet: Toward a Fast and Flexible Solution for CNN Based Image Denoising", IEEE
        TIP 2018, sec. III, without its map of noise levels; K. Zhang, W. Zuo, Y. Chen, D. Meng, L. Zhang, "Beyond a
        Gaussian denoiser: residual learning of deep CNN for image denoising", IEEE TIP 2017, for the noise as output.

    Examples:
        >>> import torch
        >>> image = torch.rand(1, 3, 5, 7)
        >>> torch.equal(Denoiser(features=8, blocks=1)(image), image)  # before training
        True
    """

    scale = 1
    alignment = HALF

    def __init__(self, features: int = 48, blocks: int = 4) -> None:
        super().__init__()
        self.conv_first = nn.Conv2d(3 * HALF**2, features, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(features) for _ in range(blocks)))
        self.conv_last = nn.Conv2d(features, 3 * HALF**2, 3, padding=1)
        nn.init.zeros_(self.conv_last.weight)
        assert self.conv_last.bias is not None
        nn.init.zeros_(self.conv_last.bias)
        # Each convolution sees two pixels farther: tiles are exact.
        self.margin = HALF * (2 * blocks + 2)

    def forward(self, images: Tensor) -> Tensor:
        """Restored images."""
        padded, (height, width) = pad_to_multiple(images, HALF)
        features = F.relu(self.conv_first(F.pixel_unshuffle(padded - MIDDLE, HALF)))
        noise = NOISE * F.pixel_shuffle(self.conv_last(self.blocks(features)), HALF)
        return images - noise[..., :height, :width]
