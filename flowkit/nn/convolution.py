"""The convolution of images, its bias's gradient summed apart where that is faster."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor

__all__ = ["convolution"]

LARGE = 2**20
"""Numbers of a result from which oneDNN's sum for the bias takes longer than PyTorch's, up to two and a half times."""


def convolution(x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int]) -> Tensor:
    r"""``torch.nn.functional.conv2d`` with a stride of 1, :math:`y = w * x + b`.

    With the gradients of image and kernel, oneDNN also sums that of the bias, :math:`\sum_p \partial L / \partial y_p`
    over samples and pixels. For large results PyTorch does it here. Derivatives of any order, and forward ones, are
    those of the plain function.

    Args:
        x: ``batch x C x H x W``.
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
    if bias is None or not bias.requires_grad or not _sums_apart(x, weight, bias):
        return F.conv2d(x, weight, bias, padding=padding)
    y: Tensor = _BiasGradient.apply(F.conv2d(x, weight, bias.detach(), padding=padding), bias)
    return y


def _sums_apart(x: Tensor, weight: Tensor, bias: Tensor) -> bool:
    return (
        torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and x.device.type == "cpu"
        and len(x) * len(weight) * x.shape[-2] * x.shape[-1] >= LARGE
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
