"""A convolution kernel times factors, of which only the kernel and the factors are kept for the gradients."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor

from flowkit.nn.convolution import convolution, convolution_gradients
from flowkit.nn.kernel import ConvKernel, Kernel, Padding, finished
from flowkit.ops.memory_format import channels_last

__all__ = ["ScaledKernel"]

LARGE = 16
"""An image of more than so many times the kernel's numbers is large beside it."""


class ScaledKernel(ConvKernel):
    r"""A convolution with a stride of 1, :math:`(f w) * x + b`, by a factor for each pair of output and input.

    Autograd would keep the product :math:`f w` as well as the kernel; here it is made anew for the gradients, unless
    the image is so much larger that nothing is gained.

    Args:
        weight: ``N x C x h x w``.
        factors: ``N x C``; 1 in place of either where they are the same for all.
        bias: ``N`` numbers, or ``None``.
        padding: rows and columns of zeros at each edge.

    Examples:
        >>> x, weight, factors = torch.rand(1, 2, 5, 5), torch.rand(3, 2, 3, 3), torch.rand(1, 2)
        >>> y = ScaledKernel(weight, factors)(x)
        >>> torch.allclose(y, F.conv2d(x, weight * factors[..., None, None], padding=1))
        True
    """

    def __init__(self, weight: Tensor, factors: Tensor, bias: Tensor | None = None, padding: Padding = (1, 1)) -> None:
        self.weight = weight
        self.factors = factors
        self.bias = bias
        self.padding = padding

    def multiplied(self) -> Kernel:
        """The product, as an ordinary kernel."""
        return Kernel(_product(self.weight, self.factors), self.bias, self.padding)

    def __call__(self, x: Tensor, add: Tensor | None = None, slope: float | None = None) -> Tensor:
        """The convolution; what is added may broadcast."""
        # The compiler keeps what it likes; beside a large image the product is nothing, and autograd's own functions
        # are faster; autocast needs gradients of the precision that it convolved in; and what torch.func maps comes out
        # as a view, which must not change in place.
        if (
            torch.compiler.is_compiling()
            or x.numel() > LARGE * self.weight.numel()
            or torch._C._is_any_autocast_enabled()
            or any(is_functorch_wrapped_tensor(t) for t in (x, self.weight, self.factors, self.bias) if t is not None)
        ):
            return self.multiplied()(x, add, slope)
        y = _Convolution.apply(channels_last(x), self.weight, self.factors, self.bias, self.padding)
        return finished(y, add, slope)


def _product(weight: Tensor, factors: Tensor) -> Tensor:
    return weight * factors[..., None, None]


class _Convolution(torch.autograd.Function):
    """That of the product, which is not kept."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, factors: Tensor, bias: Tensor | None, padding: Padding) -> Tensor:
        return convolution(x, _product(weight, factors), bias, padding)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, Tensor | None, Padding], output: Tensor) -> None:
        ctx.padding = inputs[-1]
        ctx.save_for_backward(*inputs[:3])
        ctx.save_for_forward(*inputs[:3])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None, None]:
        x, weight, factors = ctx.saved_tensors
        by_x, by_weight, by_factors, by_bias, _ = ctx.needs_input_grad
        wanted = by_x, by_weight or by_factors, by_bias
        product = _product(weight, factors)
        of_x, of_product, of_bias = convolution_gradients(grad, x, product, ctx.padding, wanted)
        if of_product is None:
            return of_x, None, None, of_bias, None
        of_weight = _product(of_product, factors) if by_weight else None
        of_factors = (of_product * weight).sum((2, 3)).sum_to_size(factors.shape) if by_factors else None
        return of_x, of_weight, of_factors, of_bias, None

    @staticmethod
    def jvp(ctx: Any, of_x: Tensor, of_weight: Tensor, of_factors: Tensor, of_bias: Tensor | None, _: None) -> Tensor:
        x, weight, factors = ctx.saved_tensors
        of_product = _product(of_weight, factors) + _product(weight, of_factors)
        by_x = F.conv2d(of_x, _product(weight, factors), padding=ctx.padding)
        return by_x + F.conv2d(x, of_product, of_bias, padding=ctx.padding)
