"""Convolutions each of which sees the results of all before it."""

from collections.abc import Sequence
from typing import Any, TypeGuard

import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor, is_legacy_batchedtensor
from torch.autograd.forward_ad import unpack_dual

from flowkit.nn.kernel import ConvKernel, Kernel, rectify_
from flowkit.nn.processor import mkl_is_slow
from flowkit.nn.winograd import kernel_tiles
from flowkit.nn.winograd_blocks import as_blocks, as_image, blocks_from_patches_, clear_beyond, patches_of
from flowkit.nn.winograd_kernel import halves
from flowkit.nn.winograd_matrices import ONES, PATCH, TILE, matrices

__all__ = ["dense_convolutions"]

FEWEST_TILES = 64
"""With fewer, calls take longer than what Winograd's method saves."""

FEWEST_CHANNELS, FEWEST_ADDED = 64, 32
"""Of the image and of each result; with fewer, the transforms take longer than that."""

MOST_OVERHANG = 1.25
"""Pixels of the blocks for each of the image's: blocks of 4 x 4 at its edges reach beyond it."""


def dense_convolutions(x: Tensor, kernels: Sequence[ConvKernel], slope: float) -> Tensor:
    r"""The convolutions of a dense block, each of the image and of the results of all before it.

    .. math:: y_i = \operatorname{LReLU}(w_i * [x, y_1, \dots, y_{i-1}] + b_i) \quad (i < n), \qquad
              y = w_n * [x, y_1, \dots, y_{n-1}] + b_n

    In training on a CPU, 3x3 kernels are multiplied by Winograd's method where that is faster: each map is transformed
    once, for all kernels that read it. That takes a quarter less time for 64 channels to which each convolution
    adds 32. Results are the same but for rounding, which in float32 is six times that of a plain convolution; so are
    derivatives of any order.

    Args:
        x: ``batch x C x H x W``.
        kernels: ``n`` of them, at least 1, that keep the image's size; the ``i``-th sees the channels of ``x`` and of
            the results before it.
        slope: of the leaky ReLU.

    Returns:
        ``batch x N x H x W``, of the last kernel.

    Raises:
        RuntimeError: a kernel is for another number of channels.

    References:
        G. Huang, Z. Liu, L. van der Maaten, K. Q. Weinberger, "Densely Connected Convolutional Networks", CVPR 2017.
        A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, sec. 4.

    Examples:
        >>> kernels = [Kernel(torch.rand(2, 3, 3, 3)), Kernel(torch.rand(4, 5, 3, 3))]
        >>> dense_convolutions(torch.rand(1, 3, 8, 8), kernels, slope=0.2).shape
        torch.Size([1, 4, 8, 8])
    """
    if not _are_plain(kernels) or not _pays(x, kernels):
        return _one_by_one(x, kernels, slope)
    y: Tensor = _DenseConvolutions.apply(x, slope, *(k.weight for k in kernels), *(k.bias for k in kernels))
    return y


def _one_by_one(x: Tensor, kernels: Sequence[ConvKernel], slope: float) -> Tensor:
    *first, last = kernels
    seen = x
    for kernel in first:
        seen = torch.cat([seen, kernel(seen, slope=slope)], 1)
    return last(seen)


def _are_plain(kernels: Sequence[ConvKernel]) -> TypeGuard[Sequence[Kernel]]:
    return all(
        type(kernel) is Kernel
        and kernel.bias is not None
        and kernel.weight.shape[-2:] == (3, 3)
        and kernel.padding == (1, 1)
        for kernel in kernels
    )


def _pays(x: Tensor, kernels: Sequence[Kernel]) -> bool:
    if torch.compiler.is_compiling() or not torch.is_grad_enabled() or x.device.type != "cpu" or mkl_is_slow():
        return False
    batch, channels, height, width = x.shape
    tiles = batch * -(-height // TILE) * -(-width // TILE)
    return (
        tiles >= FEWEST_TILES
        and tiles * TILE**2 <= MOST_OVERHANG * batch * height * width
        and channels >= FEWEST_CHANNELS
        and all(len(kernel.weight) >= FEWEST_ADDED for kernel in kernels)
        and not torch.is_autocast_enabled("cpu")
        and all(_is_ordinary(t, x.dtype) for k in kernels for t in (x, k.weight, k.bias) if t is not None)
    )


def _is_ordinary(tensor: Tensor, dtype: torch.dtype) -> bool:
    return (
        tensor.dtype == dtype
        and dtype in (torch.float32, torch.float64)
        and not is_functorch_wrapped_tensor(tensor)
        and unpack_dual(tensor).tangent is None
    )


class _DenseConvolutions(torch.autograd.Function):
    """Those of plain 3x3 kernels by Winograd's method, whose results stay cut into blocks throughout.

    Maps and products lie side by side in memory, so that a kernel, and a map's gradient, take one product each.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float, *weights_and_biases: Tensor) -> Tensor:
        weights, biases = halves(weights_and_biases)
        height, width = x.shape[-2:]
        matrix = matrices(x)
        blocks = as_blocks(x).contiguous()
        shape = blocks.shape[2:-1]
        tiles = x.new_empty(PATCH**2, shape.numel(), weights[-1].shape[1])
        results: list[Tensor] = []
        start = 0
        for weight, bias in zip(weights, biases, strict=True):
            if start:
                clear_beyond(blocks, height, width)
                results.append(rectify_(blocks, slope))
            end = weight.shape[1]
            patches = patches_of(blocks).view(PATCH**2, -1)
            tiles[..., start:end] = (matrix.of_image[1] @ patches).view(PATCH**2, -1, end - start)
            products = torch.bmm(tiles[..., :end], kernel_tiles(weight).mT)
            products[ONES] += bias
            blocks = (matrix.of_result @ products.flatten(1)).view(TILE, TILE, *shape, -1)
            start = end
        ctx.slope = slope
        ctx.save_for_backward(x, tiles, *results, *weights_and_biases)
        return as_image(blocks, height, width)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, tiles, *rest = ctx.saved_tensors
        count = (len(rest) + 1) // 3
        results, weights_and_biases = rest[: count - 1], rest[count - 1 :]
        if torch.is_grad_enabled() or is_legacy_batchedtensor(grad):
            return _plain_gradients(grad, x, ctx.slope, weights_and_biases)
        weights, _ = halves(weights_and_biases)
        height, width = grad.shape[-2:]
        matrix = matrices(grad)
        sizes = [len(weight) for weight in weights]
        ends = [weight.shape[1] for weight in weights]
        # Below each other: a kernel that reads fewer maps has zeros for the others.
        joined = grad.new_zeros(sum(sizes), ends[-1], 3, 3)
        for rows, weight in zip(joined.split(sizes), weights, strict=True):
            rows[:, : weight.shape[1]] = weight
        kernels = kernel_tiles(joined)
        blocks = as_blocks(grad).contiguous()
        shape = blocks.shape[2:-1]
        of_products = tiles.new_empty(PATCH**2, tiles.shape[1], sum(sizes))
        for i in reversed(range(count)):
            row, start = sum(sizes[:i]), ends[i - 1] if i else 0
            products = (matrix.of_result.T @ blocks.view(TILE**2, -1)).view(PATCH**2, -1, sizes[i])
            of_products[..., row : row + sizes[i]] = products
            # All kernels that read what the one before made, or the image.
            of_tiles = torch.bmm(of_products[..., row:], kernels[:, row:, start : ends[i]])
            patches = matrix.of_image[1].T @ of_tiles.flatten(1)
            blocks = blocks_from_patches_(patches.view(PATCH, PATCH, *shape, -1))
            if i:
                clear_beyond(blocks, height, width)
                blocks = torch.ops.aten.leaky_relu_backward(blocks, results[i - 1], ctx.slope, True)
        of_kernels = torch.bmm(of_products.mT, tiles)
        of_joined = (of_kernels.flatten(1).T @ matrix.of_kernel).view_as(joined)
        of_weights = [rows[:, :end] for rows, end in zip(of_joined.split(sizes), ends, strict=True)]
        of_biases = of_products[ONES].sum(0).split(sizes)
        return as_image(blocks, height, width), None, *of_weights, *of_biases


def _plain_gradients(
    grad: Tensor, x: Tensor, slope: float, weights_and_biases: Sequence[Tensor]
) -> tuple[Tensor | None, ...]:
    """Those of plain convolutions, which autograd knows how to differentiate again, and for batched gradients."""
    kernels = [Kernel(weight, bias) for weight, bias in zip(*halves(weights_and_biases), strict=True)]
    inputs = [x, *weights_and_biases]
    wanted = [tensor for tensor in inputs if tensor.requires_grad]
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        y = _one_by_one(x, kernels, slope)
    found = iter(torch.autograd.grad(y, wanted, grad, create_graph=again))
    of_x, *others = [next(found) if tensor.requires_grad else None for tensor in inputs]
    return of_x, None, *others
