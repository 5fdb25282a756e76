"""Convolution of images over any batch shape."""

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.ops.private import is_wrapped

__all__ = ["conv2d"]


def conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``torch.nn.functional.conv2d`` with a stride of 1 and zeros around, so that the image keeps its size.

    Args:
        x: ``batch x C x H x W``, any batch shape.
        weight: ``N x C x h x w``, ``h`` and ``w`` odd.
        bias: ``N`` numbers, or ``None``.

    Returns:
        ``batch x N x H x W``; where PyTorch keeps memory formats, with a pixel's channels side by side.

    Examples:
        >>> import torch
        >>> conv2d(torch.rand(2, 7, 3, 8, 8), torch.rand(5, 3, 3, 3)).shape
        torch.Size([2, 7, 5, 8, 8])
    """
    images = x if x.ndim == 4 else x.reshape(-1, *x.shape[-3:])
    # The transforms of torch.func know one memory format only.
    if torch.compiler.is_compiling() or not is_wrapped(images):
        images = images.contiguous(memory_format=torch.channels_last)
    y = F.conv2d(images, weight, bias, padding=(weight.shape[-2] // 2, weight.shape[-1] // 2))
    return y if x.ndim == 4 else y.reshape(*x.shape[:-3], *y.shape[-3:])
