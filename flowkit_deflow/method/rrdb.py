"""The RRDB network of ESRGAN, and the feature maps that a flow is conditioned on."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit import Stored
from flowkit.bijectors import Activations
from flowkit.nn import Conv2d, MixedResolution

__all__ = ["RRDB", "SLOPE", "RRDBEncoder"]

Features = Tensor | MixedResolution

SLOPE = 0.2  # of the leaky ReLUs
RESIDUAL = 0.2  # factor on each residual branch


class _DenseBlock(nn.Module):
    """Five convolutions, each seeing the outputs of all before it."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, growth, 3, padding=1)
        self.conv2 = nn.Conv2d(features + growth, growth, 3, padding=1)
        self.conv3 = nn.Conv2d(features + 2 * growth, growth, 3, padding=1)
        self.conv4 = nn.Conv2d(features + 3 * growth, growth, 3, padding=1)
        self.conv5 = nn.Conv2d(features + 4 * growth, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """``batch x features x H x W`` to the same shape."""
        seen = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat([seen, F.leaky_relu(conv(seen), SLOPE)], 1)
        return x + RESIDUAL * self.conv5(seen)


class RRDB(nn.Module):
    """Residual in residual dense block: three dense blocks of so many features, each convolution adding ``growth``."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.RDB1 = _DenseBlock(features, growth)
        self.RDB2 = _DenseBlock(features, growth)
        self.RDB3 = _DenseBlock(features, growth)

    def forward(self, x: Tensor) -> Tensor:
        """``batch x features x H x W`` to the same shape."""
        return x + RESIDUAL * self.RDB3(self.RDB2(self.RDB1(x)))


class RRDBEncoder(nn.Module):
    r"""The RRDB network of ESRGAN as the encoder of a flow, as in SRFlow.

    Its trunk is made of residual-in-residual dense blocks, :math:`b(x) = x + 0.2\, d_3(d_2(d_1(x)))`, each :math:`d`
    five convolutions that see all the outputs before them.

    Level ``l`` of the flow (from 1) works at ``1 / 2**l`` of the image's resolution. Its map is the network's own
    one at that resolution, or the 1x map resized bilinearly where that is below the input's; behind its channels
    stand the outputs of some RRDB blocks, resized by nearest neighbour. Where that would enlarge them, they stay as
    they are: :class:`~flowkit.nn.MixedResolution` stands for the map.

    The parameters bear ESRGAN's original key names. Its output head (``HRconv``, ``conv_last``) is there so that
    checkpoints load and save whole; the flow never uses it, and it is not trained.

    What the backward pass finds stored of the trunk is :func:`~flowkit.use_activations`'s choice: all, or the values
    between the blocks alone.

    Args:
        scale: the image's size over the input's, 4, 8 or 16.
        levels: levels of the flow.
        features: channels of the trunk.
        growth: channels that each convolution of a dense block adds.
        blocks: number of RRDB blocks.
        stack_blocks: indices of the blocks whose outputs are stacked, from 0.

    Raises:
        ValueError: another scale.

    References:
        X. Wang, K. Yu, S. Wu, J. Gu, Y. Liu, C. Dong, Y. Qiao, C. C. Loy, "ESRGAN: Enhanced Super-Resolution Generative
        Adversarial Networks", ECCV workshops 2018.
        A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "SRFlow: Learning the Super-Resolution Space with
        Normalizing Flow", ECCV 2020, sec. 3.3.

    Examples:
        >>> encoder = RRDBEncoder(scale=4, levels=3, features=8, growth=4, blocks=2, stack_blocks=(1,))
        >>> fine, same, coarse = encoder(torch.rand(1, 3, 6, 6))
        >>> [tuple(m.shape[1:]) for m in (fine.dense(), same, coarse)]
        [(16, 12, 12), (16, 6, 6), (16, 3, 3)]
    """

    def __init__(
        self,
        scale: int = 4,
        levels: int = 3,
        features: int = 64,
        growth: int = 32,
        blocks: int = 23,
        stack_blocks: Sequence[int] = (1, 8, 15, 22),
    ) -> None:
        super().__init__()
        self.activations: Activations = Stored()
        if scale not in (4, 8, 16):
            raise ValueError(f"scale is {scale}; an RRDB encoder works at a scale of 4, 8 or 16")
        self.stack_blocks = tuple(stack_blocks)
        self.resolutions = [scale / 2**level for level in range(1, levels + 1)]
        # Its result has a pixel's channels side by side, and all maps after it keep this order in memory, in which the
        # flow's networks convolve them as they are.
        self.conv_first = Conv2d(3, features, 3)
        self.RRDB_trunk = nn.ModuleList(RRDB(features, growth) for _ in range(blocks))
        self.trunk_conv = nn.Conv2d(features, features, 3, padding=1)
        for i in range(scale.bit_length() - 1):
            self.add_module(f"upconv{i + 1}", nn.Conv2d(features, features, 3, padding=1))
        self.HRconv = nn.Conv2d(features, features, 3, padding=1)
        self.conv_last = nn.Conv2d(features, 3, 3, padding=1)
        for unused in (self.get_submodule(f"upconv{scale.bit_length() - 1}"), self.HRconv, self.conv_last):
            unused.requires_grad_(False)

    @property
    def out_channels(self) -> int:
        """Channels of each map."""
        return self.trunk_conv.out_channels * (1 + len(self.stack_blocks))

    def forward(self, h: Tensor) -> tuple[Features, ...]:
        """``B x 3 x H x W`` in [0, 1] to a map for each level, finest first."""
        x = self.conv_first(h)
        stacked: dict[int, Tensor] = {}
        for i, block in enumerate(self.RRDB_trunk):
            x = self.activations.call(block, x)
            if i in self.stack_blocks:
                stacked[i] = x
        # ESRGAN adds the first convolution's output here; SRFlow and DeFlow add the last block's.
        x = x + self.trunk_conv(x)
        own = self._enlarged(x)
        for resolution in self.resolutions:
            if resolution < 1:
                size = [round(side * resolution) for side in h.shape[-2:]]
                own[resolution] = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        if not self.stack_blocks:
            return tuple(own[resolution] for resolution in self.resolutions)
        blocks = torch.cat([stacked[i] for i in self.stack_blocks], 1)
        return tuple(_joined(own[resolution], blocks) for resolution in self.resolutions)

    def _enlarged(self, x: Tensor) -> dict[float, Tensor]:
        """The maps at 1x, 2x, ... of the input's resolution, as far as the levels need them."""
        # Keys are floats alone: for torch.compile of torch 2.6 the keys 1 and 1.0 are two.
        maps = {1.0: x}
        number = 1
        while 2**number <= max(self.resolutions):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = F.leaky_relu(self.get_submodule(f"upconv{number}")(x), SLOPE)
            maps[2.0**number] = x
            number += 1
        return maps


def _joined(own: Tensor, blocks: Tensor) -> Features:
    if own.shape[-1] > blocks.shape[-1]:
        return MixedResolution(own, blocks)
    return torch.cat([own, F.interpolate(blocks, size=own.shape[-2:], mode="nearest")], 1)
