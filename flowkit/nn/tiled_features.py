"""Feature maps that many convolutions are about to read, transformed once for all of them."""

from typing import NamedTuple

import torch
from torch import Tensor

from flowkit.nn.mixed_resolution import MixedResolution
from flowkit.nn.winograd import image_tiles
from flowkit.nn.winograd_matrices import NEEDED

__all__ = ["TiledFeatures", "tile_features"]

FEWEST_CHANNELS = 64
"""Fewer are convolved as fast as they are (48 were tried)."""


class TiledFeatures(NamedTuple):
    r"""Feature maps of an image as the tiles that Winograd's convolution multiplies.

    For each patch :math:`p` of 6 x 6 numbers of the maps they hold :math:`B^\top p\, B`, whatever the kernel. So a 3x3
    kernel takes 36 multiplications for 16 numbers of its result in place of 144, and what the image's transform costs
    is shared by all kernels. Of maps half the image's size 25 of the 36 numbers are not zero, of those a quarter of its
    size 9, and no more multiplications does a kernel take.

    Attributes:
        tiles: the first numbers of each patch, of all maps: ``n x batch x ceil(H / 4) x ceil(W / 4) x (C_1 + C_2)``.
        others: the others, of the fine maps: ``(36 - n) x batch x ceil(H / 4) x ceil(W / 4) x C_1``; ``None`` if all
            maps are fine.
        height: ``H``.
        width: ``W``.

    References:
        A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, sec. 4.

    Examples:
        >>> maps = tile_features(MixedResolution(torch.rand(1, 64, 8, 12), torch.rand(1, 3, 2, 3)))
        >>> maps.channels, maps.tiles.shape, maps.others.shape
        (67, torch.Size([9, 1, 2, 3, 67]), torch.Size([27, 1, 2, 3, 64]))
    """

    tiles: Tensor
    others: Tensor | None
    height: int
    width: int

    @property
    def channels(self) -> int:
        """``C_1 + C_2``."""
        return self.tiles.shape[-1]

    @property
    def fine(self) -> int:
        """``C_1``."""
        return (self.tiles if self.others is None else self.others).shape[-1]


def tile_features(x: Tensor | MixedResolution) -> Tensor | MixedResolution | TiledFeatures:
    r"""The same features for many :class:`~flowkit.ConvConditioner`\ s, as tiles where that is faster.

    Of the maps it makes :math:`B^\top p\, B` for each patch :math:`p`, as :class:`TiledFeatures` has it. That is faster
    on a CPU, in float32 or float64 outside of autocast, from 64 fine channels on, with coarse maps that are as large as
    the fine ones or twice or four times smaller; elsewhere the features stay as they are, and in compiled code, where
    tiles would make graphs of their own for sizes that are no multiples of 4. Results are the same but for rounding,
    which in float32 is six times that of a plain convolution.

    Args:
        x: an image ``batch x C x H x W``, or maps that stand for one.

    Returns:
        Tiles, or ``x`` itself.

    Raises:
        ValueError: the maps' sizes do not fit each other.

    References:
        As :class:`TiledFeatures`.

    Examples:
        >>> from flowkit import ConvConditioner
        >>> context = torch.rand(2, 64, 8, 8)
        >>> networks = [ConvConditioner(2, 4, hidden_channels=8, context_channels=64) for _ in range(16)]
        >>> shared = tile_features(context)
        >>> all(
        ...     torch.allclose(network.prepare(shared).hidden, network.prepare(context).hidden, atol=1e-4)
        ...     for network in networks
        ... )
        True
    """
    fine = x.fine if isinstance(x, MixedResolution) else x
    pays = (
        not torch.compiler.is_compiling()
        and fine.device.type == "cpu"
        and fine.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and fine.shape[-3] >= FEWEST_CHANNELS
        and (not isinstance(x, MixedResolution) or x.factor in NEEDED)
    )
    if not pays:
        return x
    size = fine.shape[-2:]
    if not isinstance(x, MixedResolution) or x.factor == 1:
        return TiledFeatures(image_tiles(x.dense() if isinstance(x, MixedResolution) else x), None, *size)
    of_fine, of_coarse = image_tiles(x.fine), image_tiles(x.coarse, x.factor)
    first, others = of_fine.split([len(of_coarse), len(of_fine) - len(of_coarse)])
    return TiledFeatures(torch.cat([first, of_coarse], -1), others, *size)
