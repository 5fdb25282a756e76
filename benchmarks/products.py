"""The matrix products and convolutions of a call: how many multiplications they are, and what they take alone.

Operators are counted as they reach PyTorch's dispatcher, in whatever function of flowkit's, and without hooks: modules
that see hooks call their layers one by one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Products", "count", "products"]

Arguments = tuple[Any, ...]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Products:
    """The products and convolutions of a call, in its order, on numbers and in memory of their own."""

    multiply_adds: int
    """Multiplications, each with its addition."""
    replay: Callable[[], None]
    """Does them again, and nothing else."""


def count(call: Callable[[], Result]) -> tuple[Result, int]:
    """Call once: the result, and how many multiplications with an addition were done.

    Raises:
        RuntimeError: it calls an operator of which nothing is known here, so that the count could be wrong.
    """
    with _Recorder(keep=False) as recorder:
        result = call()
    return result, recorder.multiply_adds


def products(call: Callable[[], object]) -> Products:
    """Record the products and convolutions of a call.

    Args:
        call: what does them; it is called twice, and what it keeps from its first call is not done again.

    Raises:
        RuntimeError: it calls an operator of which nothing is known here, so that the count could be wrong.
    """
    call()
    with _Recorder(keep=True) as recorder:
        call()
    recorded = recorder.recorded

    def replay() -> None:
        with torch.no_grad():
            for operator, arguments in recorded:
                operator(*arguments)

    return Products(recorder.multiply_adds, replay)


def _matrices(a: Tensor, b: Tensor) -> int:
    """Of a matrix product, of one or of a batch of them."""
    return a.numel() * b.shape[-1]


def _linear(x: Tensor, weight: Tensor, *_: Any) -> int:
    return x.numel() * weight.shape[0]


def _packed_convolution(x: Tensor, kernel: Tensor, bias: Any, padding: list[int], *_: Any) -> int:
    """With a stride and a dilation of 1, as a packed kernel has them."""
    sides = [side + 2 * pad - taps + 1 for side, pad, taps in zip(x.shape[2:], padding, kernel.shape[2:], strict=True)]
    return x.shape[0] * torch.Size(sides).numel() * kernel.numel()


def _convolution(y: Tensor, x: Tensor, kernel: Tensor, transposed: bool) -> int:
    """Each number of the result, or, of a transposed one, of the image, meets as many as a kernel of a channel has."""
    return (x if transposed else y).numel() * kernel[0].numel()


def _convolution_backward(grad: Tensor, x: Tensor, kernel: Tensor, *others: Any) -> int:
    """Of the gradients of image and kernel, those that are asked for."""
    *_, transposed, _, _, (image_too, kernel_too, _) = others
    return (image_too + kernel_too) * _convolution(grad, x, kernel, transposed)


COUNTS: dict[str, Callable[[Any, Arguments], int]] = {
    "aten::mm": lambda y, given: _matrices(*given),
    "aten::bmm": lambda y, given: _matrices(*given),
    "aten::addmm": lambda y, given: _matrices(*given[1:3]),
    "aten::baddbmm": lambda y, given: _matrices(*given[1:3]),
    "aten::mv": lambda y, given: given[0].numel(),
    "aten::addmv": lambda y, given: given[1].numel(),
    "aten::dot": lambda y, given: given[0].numel(),
    "aten::linear": lambda y, given: _linear(*given),
    "aten::convolution": lambda y, given: _convolution(y, given[0], given[1], given[6]),
    "aten::convolution_backward": lambda y, given: _convolution_backward(*given),
    "mkldnn::_convolution_pointwise": lambda y, given: _packed_convolution(*given),
}
"""Multiply-adds from an operator's result and arguments, by its name."""

KNOWN = "aten::", "profiler::", "prim::"
"""Beginnings of the names of operators that are a product only if they are in :data:`COUNTS`."""

NO_PRODUCTS = {"mkldnn::_reorder_convolution_weight"}


class _Recorder(TorchDispatchMode):
    """Counts products; and notes each, with arguments that lie in memory as the given ones do, if it is to."""

    def __init__(self, keep: bool) -> None:
        super().__init__()
        self.keep = keep
        self.recorded: list[tuple[Callable[..., object], Arguments]] = []
        self.multiply_adds = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Arguments = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.name().partition(".")[0]
        if name in COUNTS:
            self.multiply_adds += COUNTS[name](result, args)
            if self.keep:
                self.recorded.append((func, tuple(map(_like, args))))
        elif not name.startswith(KNOWN) and name not in NO_PRODUCTS:
            raise RuntimeError(
                f"the operator {name} is not known to benchmarks/products.py, so that its products would be left "
                "out of the count: say there how many multiply-adds it does, or that it does none"
            )
        return result


def _like(argument: Any) -> Any:
    """Random numbers in the same places; what is no tensor, and a packed kernel, which nothing writes to, as it is."""
    if not isinstance(argument, Tensor) or argument.is_mkldnn:
        return argument
    places = 1 + sum((size - 1) * stride for size, stride in zip(argument.shape, argument.stride(), strict=True))
    # Some stand for the same numbers several times over.
    memory = torch.randn(places, dtype=argument.dtype, device=argument.device)
    return memory.as_strided(argument.shape, argument.stride())
