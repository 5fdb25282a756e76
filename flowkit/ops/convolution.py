"""Convolution of images, by a packed kernel where that is possible."""

from collections.abc import Callable, Hashable, Sequence

import torch.nn.functional as F
from torch import Tensor

from flowkit.ops.inference_cache import InferenceCache
from flowkit.ops.memory_format import channels_last
from flowkit.ops.packed_kernel import PackedKernel
from flowkit.ops.reasons import why_plain

__all__ = ["Convolution"]

Padding = tuple[int, int]
Kernel = tuple[Tensor, Tensor | None]
"""Weight ``N x C x h x w``, and ``N`` numbers of a bias, or ``None``."""


class Convolution:
    r"""The convolutions of one layer, :math:`y = w * x + b`, by kernels that are made of the layer's parameters.

    Packed kernels are kept as long as the parameters do not change.

    Examples:
        >>> import torch
        >>> x, weight = torch.rand(2, 7, 3, 8, 8), torch.rand(5, 3, 3, 3)
        >>> Convolution()(x, [weight], lambda: (2 * weight, None), (1, 1), training=True).shape
        torch.Size([2, 7, 5, 8, 8])
    """

    def __init__(self) -> None:
        self._cache = InferenceCache()

    def __call__(
        self,
        x: Tensor,
        parameters: Sequence[Tensor],
        make: Callable[[], Kernel],
        padding: Padding,
        training: bool,
        key: Hashable = None,
    ) -> Tensor:
        """The convolution, with a stride of 1.

        Args:
            x: images with any number of batch dimensions, ``batch x C x H x W``.
            parameters: what the kernel is made of, the same ones at each call.
            make: makes the kernel.
            padding: rows and columns of zeros at each edge.
            training: whether the layer is in training mode.
            key: tells several kernels of the same parameters apart.

        Returns:
            ``batch x N x H' x W'``.
        """
        images = x if x.ndim == 4 else x.reshape(-1, *x.shape[-3:])
        if why_plain(images, parameters, training) is None:
            y = self._cache.get(parameters, key, lambda: PackedKernel(*make(), padding))(images)
        else:
            y = F.conv2d(channels_last(images), *make(), padding=padding)
        return y if x.ndim == 4 else y.reshape(*x.shape[:-3], *y.shape[-3:])
