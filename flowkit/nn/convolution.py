"""The convolution of images by what takes the least time on a CPU."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor

from flowkit.nn.linear import linear

__all__ = ["convolution", "convolution_gradients"]

LARGE = 2**20
"""Numbers of a result from which the sum for a bias is slow, and below which 1x1 convolutions are."""


def convolution(x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int]) -> Tensor:
    r"""``torch.nn.functional.conv2d`` with a stride of 1, :math:`y = w * x + b`.

    On a CPU, two things take oneDNN's convolution longer than they need. Small 1x1 convolutions are matrix products
    here, in half the time for 128 channels at 8 x 8. Of large ones the bias's gradient, :math:`\sum_p \partial L /
    \partial y_p` over samples and pixels, is summed by PyTorch, in 1.2 ms in place of 2.8 for 128 channels of eight
    images of 80 x 80. Derivatives of any order, and forward ones, are those of the plain function.

    Args:
        x: ``batch x C x H x W``, with a pixel's channels side by side in memory.
        weight: ``N x C x h x w``.
        bias: ``N`` numbers, or ``None``.
        padding: rows and columns of zeros at each edge.

    Returns:
        ``batch x N x H' x W'``.

    Raises:
        RuntimeError: the shapes do not fit each other.

    Examples:
        >>> x, weight, bias = torch.rand(2, 3, 8, 8), torch.rand(5, 3, 3, 3), torch.rand(5)
        >>> torch.equal(convolution(x, weight, bias, (1, 1)), F.conv2d(x, weight, bias, padding=1))
        True
    """
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return F.conv2d(x, weight, bias, padding=padding)
    if _is_product(x, weight, padding):
        return linear(x.movedim(-3, -1), weight.flatten(1), bias).movedim(-1, -3)
    if bias is not None and _sums_apart(x, weight, bias):
        y: Tensor = _BiasGradient.apply(F.conv2d(x, weight, bias.detach(), padding=padding), bias)
        return y
    return F.conv2d(x, weight, bias, padding=padding)


def convolution_gradients(
    grad: Tensor, x: Tensor, weight: Tensor, padding: tuple[int, int], wanted: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The gradients of :func:`convolution`, where a function of one's own has to find them.

    Args:
        grad: that of the result.
        x: ``batch x C x H x W``.
        weight: ``N x C x h x w``.
        padding: rows and columns of zeros at each edge.
        wanted: whether those of image, kernel and bias are.

    Returns:
        The three, ``None`` for what is not wanted.

    Examples:
        >>> x, weight = torch.rand(2, 3, 4, 4), torch.rand(5, 3, 1, 1)
        >>> of_x, of_weight, of_bias = convolution_gradients(torch.ones(2, 5, 4, 4), x, weight, (0, 0), [True] * 3)
        >>> of_bias
        tensor([32., 32., 32., 32., 32.])
    """
    if x.device.type == "cpu" and _is_product(x, weight, padding):
        # Not flattened: gradients may come batched, which that does not know.
        rows = grad.movedim(-3, -1).reshape(-1, len(weight))
        inputs = x.movedim(-3, -1).reshape(-1, weight.shape[1])
        of_x = linear(grad.movedim(-3, -1), weight.flatten(1).mT).movedim(-1, -3) if wanted[0] else None
        of_weight = (rows.mT @ inputs).view_as(weight) if wanted[1] else None
        return of_x, of_weight, rows.sum(0) if wanted[2] else None
    found: tuple[Tensor | None, Tensor | None, Tensor | None] = torch.ops.aten.convolution_backward(
        grad,
        x,
        weight,
        [len(weight)],
        stride=[1, 1],
        padding=list(padding),
        dilation=[1, 1],
        transposed=False,
        output_padding=[0, 0],
        groups=1,
        output_mask=list(wanted),
    )
    return found


def _is_large(x: Tensor, weight: Tensor) -> bool:
    return math.prod(x.shape[:-3]) * len(weight) * math.prod(x.shape[-2:]) >= LARGE


def _is_product(x: Tensor, weight: Tensor, padding: tuple[int, int]) -> bool:
    return weight.shape[-2:] == (1, 1) and padding == (0, 0) and not _is_large(x, weight)


def _sums_apart(x: Tensor, weight: Tensor, bias: Tensor) -> bool:
    return (
        _is_large(x, weight)
        and bias.requires_grad
        and torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not any(is_functorch_wrapped_tensor(tensor) for tensor in (x, weight, bias))
    )


class _BiasGradient(torch.autograd.Function):
    """A convolution's result, to which the bias was added, as a function of both."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, bias: Tensor) -> Tensor:
        ctx.mark_dirty(y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        return grad, grad.sum((0, 2, 3))

    @staticmethod
    def jvp(ctx: Any, of_y: Tensor, of_bias: Tensor) -> Tensor:
        return of_y.add_(of_bias[:, None, None])
