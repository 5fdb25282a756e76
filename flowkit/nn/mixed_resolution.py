"""Feature maps of two resolutions, treated as one."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["MixedResolution", "enlargement"]


class MixedResolution(NamedTuple):
    r"""Feature maps of an image, some of which are known at a lower resolution only.

    It stands for the concatenation along the channels

    .. math:: [\text{fine}, \operatorname{nearest}_f(\text{coarse})],

    and layers that know it, as :class:`~flowkit.ConvConditioner`, convolve the coarse maps at their own resolution
    (:func:`~flowkit.ops.nearest_conv2d`).

    Attributes:
        fine: ``batch x C_1 x (f H) x (f W)``.
        coarse: ``batch x C_2 x H x W``.

    Raises:
        ValueError: (when :attr:`factor` is asked for) one size is no multiple of the other.

    References:
        A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "SRFlow: Learning the Super-Resolution Space with
        Normalizing Flow", ECCV 2020, sec. 3.3, whose conditioning it is.

    Examples:
        >>> maps = MixedResolution(torch.rand(1, 2, 8, 12), torch.rand(1, 3, 2, 3))
        >>> maps.factor, maps.dense().shape
        (4, torch.Size([1, 5, 8, 12]))
    """

    fine: Tensor
    coarse: Tensor

    @property
    def channels(self) -> int:
        """``C_1 + C_2``."""
        return self.fine.shape[-3] + self.coarse.shape[-3]

    @property
    def factor(self) -> int:
        """``f``; ValueError if the one size is no multiple of the other, the same for height and width."""
        return enlargement(self.fine.shape[-2:], self.coarse)

    def dense(self) -> Tensor:
        """The concatenation itself, ``batch x (C_1 + C_2) x (f H) x (f W)``."""
        size = self.fine.shape[-2:]
        enlarged = F.interpolate(self.coarse.reshape(-1, *self.coarse.shape[-3:]), size=size, mode="nearest")
        return torch.cat([self.fine, enlarged.view(*self.coarse.shape[:-2], *size)], -3)


def enlargement(size: Sequence[int], coarse: Tensor) -> int:
    """The factor between the size of an image and that of coarse maps of it.

    Args:
        size: the image's height and width.
        coarse: ``batch x C x H x W``.

    Returns:
        ``f``.

    Raises:
        ValueError: one size is no multiple of the other.

    Examples:
        >>> enlargement((8, 12), torch.rand(1, 5, 2, 3))
        4
    """
    (height, width), (low, narrow) = size, coarse.shape[-2:]
    factor = height // low
    if (low * factor, narrow * factor) != (height, width):
        raise ValueError(
            f"fine maps are {height} x {width} and coarse ones {low} x {narrow}: the first size has to be a "
            "multiple of the second, the same for height and width"
        )
    return factor
