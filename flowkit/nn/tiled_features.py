"""Feature maps that many convolutions are about to read, transformed once for all of them."""

from typing import NamedTuple

import torch
from torch import Tensor

from flowkit.nn.mixed_resolution import MixedResolution, enlargement
from flowkit.nn.winograd import image_tiles

__all__ = ["TiledFeatures", "tile_features"]

FEWEST_CHANNELS = 64
"""Fewer are convolved as fast as they are (48 were tried)."""


class TiledFeatures(NamedTuple):
    r"""Feature maps of an image, the fine ones as the tiles that Winograd's convolution multiplies.

    For each patch :math:`p` of 6 x 6 numbers of the fine maps they hold :math:`B^\top p\, B`, whatever the kernel. So a
    3x3 kernel takes 36 multiplications for 16 numbers of its result in place of 144, and what the image's transform
    costs is shared by all kernels.

    Attributes:
        tiles: ``36 x batch x ceil(H / 4) x ceil(W / 4) x C_1``.
        height: ``H``.
        width: ``W``.
        coarse: more maps at a lower resolution, ``batch x C_2 x (H / f) x (W / f)``, as in
            :class:`~flowkit.MixedResolution`; ``None`` if there are none.

    Raises:
        ValueError: (when :attr:`factor` is asked for) one size is no multiple of the other.

    References:
        A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, sec. 4.

    Examples:
        >>> maps = tile_features(torch.rand(1, 64, 8, 12))
        >>> maps.channels, maps.tiles.shape
        (64, torch.Size([36, 1, 2, 3, 64]))
    """

    tiles: Tensor
    height: int
    width: int
    coarse: Tensor | None

    @property
    def channels(self) -> int:
        """``C_1 + C_2``."""
        return self.tiles.shape[-1] + (0 if self.coarse is None else self.coarse.shape[-3])

    @property
    def factor(self) -> int:
        """``f``, 1 where there are no coarse maps; ValueError if the one size is no multiple of the other."""
        return 1 if self.coarse is None else enlargement((self.height, self.width), self.coarse)


def tile_features(x: Tensor | MixedResolution) -> Tensor | MixedResolution | TiledFeatures:
    r"""The same features for many :class:`~flowkit.ConvConditioner`\ s, as tiles where that is faster.

    Of the fine maps it makes :math:`B^\top p\, B` for each patch :math:`p`, as :class:`TiledFeatures` has it. That
    is faster on a CPU, in float32 or float64 outside of autocast, from 64 fine channels on; elsewhere the features stay
    as they are, and in compiled code, where tiles would make graphs of their own for sizes that are no multiples of 4.
    Results are the same but for rounding, which in float32 is four times that of a plain convolution.

    Args:
        x: an image ``batch x C x H x W``, or maps that stand for one.

    Returns:
        Tiles, or ``x`` itself.

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
    fine, coarse = (x.fine, x.coarse) if isinstance(x, MixedResolution) else (x, None)
    pays = (
        not torch.compiler.is_compiling()
        and fine.device.type == "cpu"
        and fine.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and fine.shape[-3] >= FEWEST_CHANNELS
    )
    return TiledFeatures(image_tiles(fine), fine.shape[-2], fine.shape[-1], coarse) if pays else x
