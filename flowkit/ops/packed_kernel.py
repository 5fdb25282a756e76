"""Convolution by a kernel in the order in memory that oneDNN wants, for calls without gradients."""

from typing import Any

import torch
from torch import Tensor

from flowkit.ops.private import convolve_packed, pack_kernel

__all__ = ["PackedKernel"]

Size = tuple[int, int]


class PackedKernel:
    r"""A convolution with a stride of 1, :math:`w * x + b`, whose kernel is packed once for each size of images.

    The library reorders an ordinary kernel at every call, which costs up to half of the time on small images. The order
    depends on the images' size: given that of another, oneDNN may fall back to loops a hundred times slower, so that a
    new size is packed anew.

    Args:
        weight: ``N x C x h x w``, float32 on a CPU; it is not to change.
        bias: ``N`` numbers, or ``None``.
        padding: rows and columns of zeros at each edge.

    Examples:
        >>> x, weight = torch.rand(1, 3, 8, 8), torch.rand(5, 3, 3, 3)
        >>> with torch.no_grad():
        ...     y = PackedKernel(weight, None, (1, 1))(x)
        >>> torch.allclose(y, torch.nn.functional.conv2d(x, weight, padding=1), atol=1e-5)
        True
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, padding: Size) -> None:
        self.weight = weight.contiguous()
        self.bias = bias
        self.padding = list(padding)
        self._packed: tuple[Size, Tensor] | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """``batch x C x H x W`` to ``batch x N x H' x W'``, both with a pixel's channels side by side in memory."""
        x = x.contiguous(memory_format=torch.channels_last)
        return convolve_packed(x, self._for_size((x.shape[-2], x.shape[-1])), self.bias, self.padding)

    def _for_size(self, size: Size) -> Tensor:
        # Read once: another thread may have images of another size.
        kept = self._packed
        if kept is None or kept[0] != size:
            self._packed = kept = (size, pack_kernel(self.weight, self.padding, size))
        return kept[1]

    def __deepcopy__(self, memo: dict[int, Any]) -> "PackedKernel":
        # What is packed cannot be copied.
        return PackedKernel(self.weight, self.bias, (self.padding[0], self.padding[1]))
