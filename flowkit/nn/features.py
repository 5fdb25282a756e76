"""3x3 convolution of images and of feature maps of mixed resolution."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from flowkit.nn.kernel import ConvKernel, Kernel, PackedKernel, can_pack, rectified
from flowkit.nn.mixed_resolution import MixedResolution
from flowkit.nn.tiled_features import TiledFeatures
from flowkit.nn.winograd_kernel import WinogradKernel
from flowkit.ops.nearest_conv import spread_taps, tap_kernel

__all__ = [
    "IMAGE",
    "FeatureKernel",
    "Features",
    "Layout",
    "channels_of",
    "feature_kernel",
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
        places: how many numbers of each tile all maps contribute to; 0 where features do not come as tiles.
    """

    coarse: int
    factor: int
    places: int


IMAGE = Layout(0, 1, 0)
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
        Layout(coarse=3, factor=2, places=0)
    """
    match x:
        case MixedResolution():
            return Layout(x.coarse.shape[-3], x.factor, 0)
        case TiledFeatures():
            return Layout(x.channels - x.fine, 1, len(x.tiles))
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


class FeatureKernel(ABC):
    r"""A 3x3 convolution of features, :math:`w * x + b`, with a padding of 1, as :func:`feature_kernel` makes it."""

    @abstractmethod
    def packed(self) -> "FeatureKernel":
        """The same for calls without gradients, laid out for this machine where that is possible."""

    @abstractmethod
    def __call__(self, x: Features, add: Tensor | None = None, slope: float | None = None) -> Tensor:
        """The convolution of features ``batch x C x H x W``, any number of batch dimensions; ``add`` and ReLU after."""


def feature_kernel(weight: Tensor, bias: Tensor | None, layout: Layout) -> FeatureKernel:
    """A 3x3 convolution of features of some layout.

    Args:
        weight: ``N x C x 3 x 3``.
        bias: ``N`` numbers, or ``None``.
        layout: of the features.

    Returns:
        The kernel.

    Examples:
        >>> maps = MixedResolution(torch.rand(1, 2, 8, 8), torch.rand(1, 3, 4, 4))
        >>> weight, image = torch.rand(6, 5, 3, 3), maps.dense()
        >>> on_maps, on_images = (feature_kernel(weight, None, layout_of(x)) for x in (maps, image))
        >>> torch.allclose(on_maps(maps), on_images(image), atol=1e-5)
        True
    """
    if layout.places:
        return _OnTiles(WinogradKernel([weight], [bias]))
    if not layout.coarse:
        return _OnImage(Kernel(weight, bias))
    of_fine, of_coarse = weight.split([weight.shape[1] - layout.coarse, layout.coarse], 1)
    # The bias goes with the smaller maps.
    coarse = Kernel(of_coarse, bias) if layout.factor == 1 else tap_kernel(of_coarse, bias)
    return _OnMixed(_OnImage(Kernel(of_fine)), coarse, layout.factor)


class _OnImage(FeatureKernel):
    """That of an image, or of the fine maps."""

    def __init__(self, kernel: ConvKernel) -> None:
        self.kernel = kernel

    def packed(self) -> "_OnImage":
        return _OnImage(packed(self.kernel))

    def __call__(self, x: Features, add: Tensor | None = None, slope: float | None = None) -> Tensor:
        assert isinstance(x, Tensor)
        if add is None:
            return over_batch(lambda part: self.kernel(part, slope=slope), x)
        return over_batch(lambda part, added: self.kernel(part, added, slope), x, add)


class _OnMixed(FeatureKernel):
    """That of maps of two resolutions."""

    def __init__(self, fine: _OnImage, coarse: ConvKernel, factor: int) -> None:
        self.fine = fine
        self.coarse = coarse
        self.factor = factor

    def packed(self) -> "_OnMixed":
        return _OnMixed(self.fine.packed(), packed(self.coarse), self.factor)

    def __call__(self, x: Features, add: Tensor | None = None, slope: float | None = None) -> Tensor:
        assert isinstance(x, MixedResolution)
        coarse = over_batch(self._over_coarse, x.coarse)
        return self.fine(x.fine, coarse if add is None else coarse + add, slope)

    def _over_coarse(self, x: Tensor) -> Tensor:
        y = self.coarse(x)
        return y if self.factor == 1 else spread_taps(y, self.factor)


class _OnTiles(FeatureKernel):
    """That of tiles."""

    def __init__(self, kernel: WinogradKernel) -> None:
        self.kernel = kernel

    def packed(self) -> "_OnTiles":
        return _OnTiles(self.kernel.packed())

    def __call__(self, x: Features, add: Tensor | None = None, slope: float | None = None) -> Tensor:
        assert isinstance(x, TiledFeatures)
        (y,) = self.kernel(x.tiles, x.others, x.height, x.width)
        if add is not None:
            y = y + add
        return y if slope is None else rectified(y, slope)


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
