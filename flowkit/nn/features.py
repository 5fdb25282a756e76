"""3x3 convolution of images and of feature maps of mixed resolution."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from flowkit.nn.memory_format import channels_last
from flowkit.nn.mixed_resolution import MixedResolution
from flowkit.nn.nearest_conv import nearest_conv2d

__all__ = ["Features", "channels_of", "convolve", "over_batch"]

Features = Tensor | MixedResolution
"""An image ``batch x C x H x W``, or maps that stand for one."""


def channels_of(x: Features) -> int:
    """Channels of an image, or of what the maps stand for.

    Args:
        x: ``batch x C x H x W``, or maps that stand for it.

    Returns:
        ``C``.

    Examples:
        >>> import torch
        >>> channels_of(torch.rand(1, 3, 8, 8))
        3
    """
    return x.channels if isinstance(x, MixedResolution) else x.shape[-3]


def convolve(x: Features, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    r"""A 3x3 convolution, :math:`w * x + b`, with a padding of 1.

    Args:
        x: ``batch x C x H x W``, any number of batch dimensions, or maps that stand for it.
        weight: ``N x C x 3 x 3``.
        bias: ``N`` numbers, or ``None``.

    Returns:
        ``batch x N x H x W``.

    Raises:
        RuntimeError: ``x`` has another number of channels.
        ValueError: the maps' sizes do not fit each other.

    Examples:
        >>> import torch
        >>> maps = MixedResolution(torch.rand(1, 2, 8, 8), torch.rand(1, 3, 4, 4))
        >>> weight = torch.rand(6, 5, 3, 3)
        >>> torch.allclose(convolve(maps, weight), convolve(maps.dense(), weight), atol=1e-5)
        True
    """
    if isinstance(x, MixedResolution):
        factor, fine = x.factor, x.fine.shape[-3]
        first = convolve(x.fine, weight[:, :fine], bias)
        return first + over_batch(lambda part: nearest_conv2d(part, weight[:, fine:], factor), x.coarse)
    return over_batch(lambda part: F.conv2d(channels_last(part), weight, bias, padding=1), x)


def over_batch(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Run an image function, which knows one batch dimension, over any number of them.

    Args:
        function: from ``batch x C x H x W`` to another such image.
        x: an image with any number of batch dimensions.

    Returns:
        The function's result, with the batch dimensions of ``x``.

    Examples:
        >>> import torch
        >>> over_batch(lambda image: image[:, :1], torch.rand(2, 3, 5, 4, 4)).shape
        torch.Size([2, 3, 1, 4, 4])
    """
    if x.ndim == 4:
        return function(x)
    batch = x.shape[:-3]
    y = function(x.reshape(-1, *x.shape[-3:]))
    return y.reshape(*batch, *y.shape[-3:])
