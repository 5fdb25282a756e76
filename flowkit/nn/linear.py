"""Linear layers by the faster of PyTorch's matrix products."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.nn.processor import mkl_is_slow

__all__ = ["LinearLayer", "linear"]

LEAST_PRODUCTS = 2**21
"""Multiplications under which the call itself takes longer than is won."""


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    r"""``torch.nn.functional.linear``, :math:`y = x W^T + b`, by oneDNN where that is possible and worth it.

    PyTorch multiplies float32 matrices on CPUs by MKL, which reaches about half of an AMD processor's speed; oneDNN,
    with which it convolves, reaches all of it. Gradients of any order, and forward derivatives, are those of the plain
    function; on other processors and devices, for half precision, compiled code and ``torch.func`` it is the plain
    function.

    Args:
        x: ``batch x in_features``, any number of batch dimensions.
        weight: ``out_features x in_features``.
        bias: ``out_features`` numbers, or ``None``.

    Returns:
        ``batch x out_features``.

    Raises:
        RuntimeError: the shapes do not fit each other.

    References:
        The operator is that by which ``torch.compile`` replaces linear layers on CPUs.

    Examples:
        >>> x, weight, bias = torch.rand(512, 64), torch.rand(64, 64), torch.rand(64)
        >>> torch.allclose(linear(x, weight, bias), F.linear(x, weight, bias), atol=1e-4)
        True
    """
    tensors = (x, weight) if bias is None else (x, weight, bias)
    if not _gains(*tensors):
        return F.linear(x, weight, bias)
    y: Tensor = _Linear.apply(x, weight, bias)
    return y


class LinearLayer(nn.Linear):
    r"""``nn.Linear``, :math:`y = x W^T + b`, by :func:`linear`.

    Args:
        in_features: entries of the input, >= 1.
        out_features: entries of the output, >= 1.
        bias: whether to add one.

    References:
        As :func:`linear`.

    Examples:
        >>> LinearLayer(3, 5)(torch.rand(2, 3)).shape
        torch.Size([2, 5])
    """

    def forward(self, input: Tensor) -> Tensor:
        """``batch x in_features`` to ``batch x out_features``."""
        return linear(input, self.weight, self.bias)


class _Linear(torch.autograd.Function):
    """The product with its gradients, which are such products again."""

    # With the context in hand: a `setup_context` apart, for `torch.func`, would take as long as a small product.
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.save_for_forward(x, weight)
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        rows = grad.flatten(0, -2)
        of_x = linear(grad, weight.mT) if ctx.needs_input_grad[0] else None
        # oneDNN gains nothing here: the sum runs along the longest side, for which both would have to be transposed.
        of_weight = rows.mT @ x.flatten(0, -2) if ctx.needs_input_grad[1] else None
        of_bias = rows.sum(0) if ctx.needs_input_grad[2] else None
        return of_x, of_weight, of_bias

    @staticmethod
    def jvp(ctx: Any, x_t: Tensor | None, weight_t: Tensor | None, bias_t: Tensor | None) -> Tensor:
        x, weight = ctx.saved_tensors
        y_t = x.new_zeros(*x.shape[:-1], len(weight))
        if x_t is not None:
            y_t = y_t + linear(x_t, weight)
        if weight_t is not None:
            y_t = y_t + linear(x, weight_t)
        return y_t if bias_t is None else y_t + bias_t


def _gains(x: Tensor, weight: Tensor, *rest: Tensor) -> bool:
    return (
        not torch.compiler.is_compiling()
        and mkl_is_slow()
        and x.ndim > 1
        and x.shape[-1] == weight.shape[-1]
        and x.numel() * len(weight) >= LEAST_PRODUCTS
        and all(_is_plain(tensor) for tensor in (x, weight, *rest))
        and not torch.is_autocast_enabled("cpu")
        and not torch._C._are_functorch_transforms_active()
        and torch.backends.mkldnn.is_available()
        and bool(torch.backends.mkldnn.enabled)
    )


def _is_plain(tensor: Tensor) -> bool:
    return (
        type(tensor) in (Tensor, nn.Parameter)
        and tensor.is_cpu
        and tensor.dtype == torch.float32
        and tensor.layout == torch.strided
    )
