"""3x3 convolution of images and of feature maps of mixed resolution."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.nn.kernel import ConvKernel, Kernel, PackedKernel, can_pack, rectify_
from flowkit.nn.mixed_resolution import MixedResolution
from flowkit.nn.nearest_conv import spread_taps, spread_taps_onto, tap_kernel
from flowkit.nn.tiled_features import TiledFeatures
from flowkit.nn.winograd import WinogradKernel

__all__ = [
    "IMAGE",
    "FeatureKernel",
    "Features",
    "Layout",
    "channels_of",
    "layout_of",
    "over_batch",
    "packed",
    "values_of",
]

Features = Tensor | MixedResolution | TiledFeatures
"""An image ``batch x C x H x W``, or maps that stand for one."""


class Layout(NamedTuple):
    """What a kernel has to know of the features that it will see.

    Attributes:
        coarse: channels of the coarse maps, the last ones; the others are fine.
        factor: by which the coarse ones are smaller.
        tiled: whether the fine maps come as tiles.
    """

    coarse: int
    factor: int
    tiled: bool


IMAGE = Layout(0, 1, tiled=False)
"""That of an image, fine maps alone."""


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
    return x.shape[-3] if isinstance(x, Tensor) else x.channels


def layout_of(x: Features) -> Layout:
    """The layout of some features.

    Args:
        x: the features.

    Returns:
        An image is one of fine maps alone.

    Raises:
        ValueError: the maps' sizes do not fit each other.

    Examples:
        >>> layout_of(MixedResolution(torch.rand(1, 2, 8, 8), torch.rand(1, 3, 4, 4)))
        Layout(coarse=3, factor=2, tiled=False)
    """
    match x:
        case MixedResolution():
            return Layout(x.coarse.shape[-3], x.factor, tiled=False)
        case TiledFeatures():
            return Layout(0 if x.coarse is None else x.coarse.shape[-3], x.factor, tiled=True)
    return IMAGE


def values_of(x: Features) -> Tensor:
    """A tensor of some features, the fine maps' where there are several.

    Args:
        x: the features.

    Returns:
        The image, the fine maps or the tiles.

    Examples:
        >>> values_of(MixedResolution(torch.ones(1, 2, 8, 8), torch.zeros(1, 3, 4, 4))).shape
        torch.Size([1, 2, 8, 8])
    """
    match x:
        case MixedResolution():
            return x.fine
        case TiledFeatures():
            return x.tiles
    return x


class FeatureKernel:
    r"""A 3x3 convolution of features, :math:`w * x + b`, with a padding of 1.

    Args:
        weight: ``N x C x 3 x 3``.
        bias: ``N`` numbers, or ``None``.
        layout: of the features.

    Examples:
        >>> maps = MixedResolution(torch.rand(1, 2, 8, 8), torch.rand(1, 3, 4, 4))
        >>> weight, image = torch.rand(6, 5, 3, 3), maps.dense()
        >>> on_maps, on_images = (FeatureKernel(weight, None, layout_of(x)) for x in (maps, image))
        >>> torch.allclose(on_maps(maps), on_images(image), atol=1e-5)
        True
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, layout: Layout) -> None:
        fine, coarse = weight.split([weight.shape[1] - layout.coarse, layout.coarse], 1)
        self.factor = layout.factor
        # The bias goes with the smaller maps, where there are any.
        of_fine = None if coarse.shape[1] else bias
        self.fine: _OnTiles | _OnImage
        if layout.tiled:
            self.fine = _OnTiles(WinogradKernel(fine), of_fine)
        else:
            self.fine = _OnImage(Kernel(fine, of_fine))
        self.coarse: ConvKernel | None = None
        if coarse.shape[1]:
            self.coarse = Kernel(coarse, bias) if self.factor == 1 else tap_kernel(coarse, bias)
        self.in_place = False

    def packed(self) -> "FeatureKernel":
        """The same for calls without gradients, laid out for this machine where that is possible; this one changes."""
        self.fine = self.fine.packed()
        self.coarse = None if self.coarse is None else packed(self.coarse)
        self.in_place = True
        return self

    def __call__(self, x: Features, add: Tensor | None = None, slope: float | None = None) -> Tensor:
        """The convolution of features ``batch x C x H x W``, any number of batch dimensions; ``add`` and ReLU after."""
        if self.coarse is None:
            return self.fine(x, add, slope)
        assert not isinstance(x, Tensor)
        assert x.coarse is not None
        if self.in_place and self.factor > 1:
            y = self.fine(x, add, None)
            y = over_batch(lambda fine, part: spread_taps_onto(fine, self._products(part), self.factor), y, x.coarse)
            return y if slope is None else rectify_(y, slope)
        coarse = over_batch(self._over_coarse, x.coarse)
        return self.fine(x, coarse if add is None else coarse + add, slope)

    def _over_coarse(self, x: Tensor) -> Tensor:
        y = self._products(x)
        return y if self.factor == 1 else spread_taps(y, self.factor)

    def _products(self, x: Tensor) -> Tensor:
        assert self.coarse is not None
        return self.coarse(x)


class _OnImage:
    """The part of a :class:`FeatureKernel` over fine maps that are an image."""

    def __init__(self, kernel: ConvKernel) -> None:
        self.kernel = kernel

    def packed(self) -> "_OnImage":
        return _OnImage(packed(self.kernel))

    def __call__(self, x: Features, add: Tensor | None, slope: float | None) -> Tensor:
        assert not isinstance(x, TiledFeatures)
        image = values_of(x)
        if add is None:
            return over_batch(lambda part: self.kernel(part, slope=slope), image)
        return over_batch(lambda part, added: self.kernel(part, added, slope), image, add)


class _OnTiles:
    """The part of a :class:`FeatureKernel` over fine maps that come as tiles."""

    def __init__(self, kernel: WinogradKernel, bias: Tensor | None) -> None:
        self.kernel = kernel
        self.bias = bias

    def packed(self) -> "_OnTiles":
        return _OnTiles(self.kernel.packed(), self.bias)

    def __call__(self, x: Features, add: Tensor | None, slope: float | None) -> Tensor:
        assert isinstance(x, TiledFeatures)
        y = self.kernel(x.tiles, x.height, x.width)
        bias = None if self.bias is None else self.bias.view(-1, 1, 1)
        terms = [term for term in (bias, add) if term is not None]
        for term in terms:
            y = y + term
        if slope is None:
            return y
        # What the kernel returns is a view, which autograd changes in place by a detour.
        return rectify_(y, slope) if terms else F.leaky_relu(y, slope)


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
