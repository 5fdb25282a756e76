"""3x3 convolution of images and of feature maps of mixed resolution."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.nn.kernel import ConvKernel, Kernel, PackedKernel, can_pack
from flowkit.nn.mixed_resolution import MixedResolution
from flowkit.nn.nearest_conv import spread_taps, spread_taps_onto, tap_kernel

__all__ = ["FeatureKernel", "Features", "Layout", "channels_of", "layout_of", "over_batch", "packed"]

Features = Tensor | MixedResolution
"""An image ``batch x C x H x W``, or maps that stand for one."""

Layout = tuple[int, int] | None
"""Of mixed resolution: channels of the fine maps, and the factor by which the coarse ones are smaller."""


def channels_of(x: Features) -> int:
    """Channels of an image, or of what the maps stand for.

    Args:
        x: ``batch x C x H x W``, or maps that stand for it.

    Returns:
        ``C``.

    Examples:
        >>> channels_of(torch.rand(1, 3, 8, 8))
        3
    """
    return x.channels if isinstance(x, MixedResolution) else x.shape[-3]


def layout_of(x: Features) -> Layout:
    """What a kernel has to know of the features that it will see.

    Args:
        x: the features.

    Returns:
        ``None`` for an image.

    Raises:
        ValueError: the maps' sizes do not fit each other.

    Examples:
        >>> layout_of(MixedResolution(torch.rand(1, 2, 8, 8), torch.rand(1, 3, 4, 4)))
        (2, 2)
    """
    return (x.fine.shape[-3], x.factor) if isinstance(x, MixedResolution) else None


class FeatureKernel:
    r"""A 3x3 convolution of features, :math:`w * x + b`, with a padding of 1.

    Args:
        weight: ``N x C x 3 x 3``.
        bias: ``N`` numbers, or ``None``.
        layout: of the features; ``None`` for images.

    Examples:
        >>> maps = MixedResolution(torch.rand(1, 2, 8, 8), torch.rand(1, 3, 4, 4))
        >>> weight = torch.rand(6, 5, 3, 3)
        >>> on_maps, on_images = FeatureKernel(weight, None, layout_of(maps)), FeatureKernel(weight, None, None)
        >>> torch.allclose(on_maps(maps), on_images(maps.dense()), atol=1e-5)
        True
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, layout: Layout) -> None:
        fine, self.factor = (weight.shape[1], 1) if layout is None else layout
        self.fine: ConvKernel = Kernel(weight[:, :fine], bias)
        self.coarse: ConvKernel | None = None
        self.in_place = False
        if layout is not None:
            rest = weight[:, fine:]
            self.coarse = Kernel(rest) if self.factor == 1 else tap_kernel(rest)

    def packed(self) -> "FeatureKernel":
        """The same for calls without gradients, laid out for this machine where that is possible; this one changes."""
        self.fine = packed(self.fine)
        self.coarse = None if self.coarse is None else packed(self.coarse)
        self.in_place = True
        return self

    def __call__(self, x: Features, add: Tensor | None = None, slope: float | None = None) -> Tensor:
        """The convolution of features ``batch x C x H x W``, any number of batch dimensions; ``add`` and ReLU after."""
        if not isinstance(x, MixedResolution):
            return _added(self.fine, x, add, slope)
        if self.in_place and self.factor > 1:
            y = _added(self.fine, x.fine, add, None)
            y = over_batch(lambda fine, part: spread_taps_onto(fine, self._products(part), self.factor), y, x.coarse)
            return y if slope is None else F.leaky_relu_(y, slope)
        coarse = over_batch(self._over_coarse, x.coarse)
        return _added(self.fine, x.fine, coarse if add is None else coarse + add, slope)

    def _over_coarse(self, x: Tensor) -> Tensor:
        y = self._products(x)
        return y if self.factor == 1 else spread_taps(y, self.factor)

    def _products(self, x: Tensor) -> Tensor:
        assert self.coarse is not None
        return self.coarse(x)


def _added(kernel: ConvKernel, x: Tensor, add: Tensor | None, slope: float | None) -> Tensor:
    if add is None:
        return over_batch(lambda part: kernel(part, slope=slope), x)
    return over_batch(lambda part, added: kernel(part, added, slope), x, add)


def packed(kernel: Any) -> ConvKernel:
    """A kernel packed where that is possible here, else the kernel itself."""
    return PackedKernel(kernel) if can_pack(kernel.weight) else kernel


def over_batch(function: Callable[..., Tensor], x: Tensor, *others: Tensor) -> Tensor:
    """Run a function of images, which knows one batch dimension, over any number of them.

    Args:
        function: from images ``batch x C x H x W`` to another such image.
        x: an image with any number of batch dimensions.
        others: more such images, of batch dimensions that broadcast to those of ``x``.

    Returns:
        The function's result, with the batch dimensions of ``x``.

    Examples:
        >>> over_batch(lambda image: image[:, :1], torch.rand(2, 3, 5, 4, 4)).shape
        torch.Size([2, 3, 1, 4, 4])
    """
    if x.ndim == 4 and all(other.ndim == 4 for other in others):
        return function(x, *others)
    batch = torch.broadcast_shapes(x.shape[:-3], *(other.shape[:-3] for other in others))
    flat = (part.expand(*batch, *part.shape[-3:]).reshape(-1, *part.shape[-3:]) for part in (x, *others))
    y = function(*flat)
    return y.reshape(*batch, *y.shape[-3:])
