"""RRDBNet, the generator of ESRGAN."""

import torch.nn.functional as F
from torch import Tensor, nn

from flowkit_deflow.images.resize import pad_to_multiple
from flowkit_deflow.method.rrdb import RRDB, SLOPE
from flowkit_deflow.restoration.networks.network import RestorationNetwork
from flowkit_deflow.settings.restoration import UNSHUFFLE

__all__ = ["RRDBNet"]

# The receptive field of 23 blocks is far wider, but with RealSR's published weights, results in tiles with this margin
# differ from the whole by 0.014 grey levels on average and by 1.7 at most (with 16: by 0.44 and 18).
MARGIN = 32


class RRDBNet(RestorationNetwork):
    r"""Residual-in-residual dense blocks at the degraded image's resolution, then enlargements by 2.

    Each enlargement repeats pixels and convolves.

    The parameters bear ESRGAN's original key names.

    Args:
        scale: 1, 2, 4 or 8.
        features: channels of the trunk.
        blocks: number of RRDB blocks.
        growth: channels that each convolution of a dense block adds.
        unshuffle: blocks of so many pixels' side become channels first; ``None`` for Real-ESRGAN's choice: 4 at scale
            1, 2 at scale 2.

    Raises:
        ValueError: the scale times ``unshuffle`` is no power of 2.

    References:
        X. Wang, K. Yu, S. Wu, J. Gu, Y. Liu, C. Dong, Y. Qiao, C. C. Loy, "ESRGAN: Enhanced Super-Resolution Generative
        Adversarial Networks", ECCV workshops 2018, sec. 3.1.
        X. Wang, L. Xie, C. Dong, Y. Shan, "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic
        Data", ICCV workshops 2021, sec. 3.3, for scales 1 and 2.

    Examples:
        >>> import torch
        >>> RRDBNet(scale=2, features=8, blocks=1, growth=4)(torch.rand(1, 3, 5, 8)).shape
        torch.Size([1, 3, 10, 16])
    """

    def __init__(
        self, scale: int = 4, features: int = 64, blocks: int = 23, growth: int = 32, unshuffle: int | None = None
    ) -> None:
        super().__init__()
        self.scale = scale
        self.unshuffle = UNSHUFFLE.get(scale, 1) if unshuffle is None else unshuffle
        self.margin, self.alignment = MARGIN * self.unshuffle, self.unshuffle
        enlarged = scale * self.unshuffle
        self.enlargements = enlarged.bit_length() - 1
        if 2**self.enlargements != enlarged:
            raise ValueError(f"scale is {scale} and unshuffle {self.unshuffle}; RRDBNet enlarges by 1, 2, 4 or 8")
        self.conv_first = nn.Conv2d(3 * self.unshuffle**2, features, 3, padding=1)
        self.RRDB_trunk = nn.Sequential(*(RRDB(features, growth) for _ in range(blocks)))
        self.trunk_conv = nn.Conv2d(features, features, 3, padding=1)
        for number in range(1, self.enlargements + 1):
            self.add_module(f"upconv{number}", nn.Conv2d(features, features, 3, padding=1))
        self.HRconv = nn.Conv2d(features, features, 3, padding=1)
        self.conv_last = nn.Conv2d(features, 3, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Restored images."""
        padded, (height, width) = pad_to_multiple(images, self.unshuffle)
        x = self.conv_first(F.pixel_unshuffle(padded, self.unshuffle))
        x = x + self.trunk_conv(self.RRDB_trunk(x))
        for number in range(1, self.enlargements + 1):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = F.leaky_relu(self.get_submodule(f"upconv{number}")(x), SLOPE)
        restored = self.conv_last(F.leaky_relu(self.HRconv(x), SLOPE))
        return restored[..., : self.scale * height, : self.scale * width]
