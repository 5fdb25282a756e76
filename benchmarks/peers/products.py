"""Matrix products and convolutions alone: what a call would take if all else in it took no time."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

__all__ = ["products_of"]

aten, onednn = torch.ops.aten, torch.ops.mkldnn
PRODUCTS = {
    aten.mm.default,
    aten.addmm.default,
    aten.bmm.default,
    aten.baddbmm.default,
    aten.convolution.default,
    aten.convolution_backward.default,
    onednn._convolution_pointwise.default,
    onednn._convolution_pointwise.binary,
}


def products_of(call: Callable[[], object]) -> Callable[[], object]:
    """The products and convolutions that a call does, in its order, on numbers and in memory of their own.

    Args:
        call: what does them; it is called once.

    Returns:
        A function that does nothing else.
    """
    with _Recorder() as recorder:
        call()
    products = recorder.products

    def replay() -> None:
        with torch.no_grad():
            for product, arguments in products:
                product(*arguments)

    return replay


class _Recorder(TorchDispatchMode):
    """Notes each product, with arguments that lie in memory as the given ones do."""

    def __init__(self) -> None:
        super().__init__()
        self.products: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in PRODUCTS:
            self.products.append((func, tree_map_only(Tensor, _like, args)))
        return func(*args, **(kwargs or {}))


def _like(tensor: Tensor) -> Tensor:
    if tensor.is_mkldnn:
        # A kernel that was laid out once, and is not written to.
        return tensor
    places = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    # Some stand for the same numbers several times over.
    return torch.randn(places, dtype=tensor.dtype).as_strided(tensor.shape, tensor.stride())
