"""What inference makes of parameters, kept while they stay the same."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor

__all__ = ["InferenceCache", "applies"]

T = TypeVar("T")

SAMPLES = 4096


class _Seen(NamedTuple):
    """A parameter as it was; what it holds keeps the memory from being used again for another of the same address."""

    values: Tensor
    version: int
    sample: float


class InferenceCache:
    """Values made of a module's parameters and buffers, made anew once one of them has changed.

    A change is seen by the parameter's storage, type, device and version, which every operation in place counts up:
    loading, moving, casting, an optimiser's step. Writing through ``.data`` is not counted by PyTorch; so up to
    4096 of the numbers, evenly spread, are added up and compared as well, which finds any change of a whole kernel
    or channel.

    Nothing is kept while gradients are recorded, in compiled code, under autocast or ``torch.func``; copies and pickles
    start empty.

    Examples:
        >>> layer, cache = nn.Linear(2, 2), InferenceCache()
        >>> with torch.no_grad():
        ...     first = cache.get(layer, "double", lambda: 2 * layer.weight)
        ...     assert cache.get(layer, "double", lambda: 2 * layer.weight) is first
        ...     _ = layer.weight.zero_()
        ...     cache.get(layer, "double", lambda: 2 * layer.weight).abs().sum().item()
        0.0
    """

    def __init__(self) -> None:
        self._seen: list[_Seen] = []
        self._values: dict[Hashable, Any] = {}

    def get(self, module: nn.Module, key: Hashable, make: Callable[[], T]) -> T | None:
        """The value of a key, or ``None`` where nothing may be kept: see :meth:`applies`.

        Args:
            module: whose parameters the value is made of.
            key: tells the values of a module apart; names all that the value depends on besides the parameters.
            make: makes the value.

        Returns:
            What ``make`` returned, now or before.
        """
        parameters = [*module.parameters(), *module.buffers()]
        if not applies(*parameters) or any(p.is_inference() for p in parameters):
            self._forget()
            return None
        if not self._still(parameters):
            self._forget()
            self._seen = [_Seen(p.detach(), p._version, _sample(p)) for p in parameters]
        if key not in self._values:
            # Kept values must be ordinary tensors: a later call may record gradients of what it does with them.
            with torch.inference_mode(False), torch.no_grad():
                self._values[key] = make()
        value: T = self._values[key]
        return value

    def _forget(self) -> None:
        self._seen, self._values = [], {}

    def _still(self, parameters: Sequence[Tensor]) -> bool:
        return len(parameters) == len(self._seen) and all(
            p.data_ptr() == seen.values.data_ptr()
            and p._version == seen.version
            and (p.dtype, p.device, p.shape, p.stride())
            == (seen.values.dtype, seen.values.device, seen.values.shape, seen.values.stride())
            and _sample(p) == seen.sample
            for p, seen in zip(parameters, self._seen, strict=True)
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> "InferenceCache":
        return InferenceCache()

    def __reduce__(self) -> tuple[type["InferenceCache"], tuple[()]]:
        return InferenceCache, ()


def applies(*tensors: Tensor) -> bool:
    """Whether kept values may be used with some tensors: nothing is recorded, traced, mapped or cast on the way.

    Args:
        tensors: parameters and inputs.

    Returns:
        False while gradients are recorded, in compiled code, under autocast, and for what ``torch.func`` has wrapped.

    Examples:
        >>> with torch.no_grad():
        ...     applies(torch.rand(3))
        True
    """
    if torch.compiler.is_compiling() or torch.is_grad_enabled():
        return False
    return not any(is_functorch_wrapped_tensor(t) or torch.is_autocast_enabled(t.device.type) for t in tensors)


@torch.no_grad()
def _sample(values: Tensor) -> float:
    flat = values.reshape(-1) if values.is_contiguous() else values.permute(_memory_order(values)).reshape(-1)
    return float(flat[:: max(1, len(flat) // SAMPLES)].sum())


def _memory_order(values: Tensor) -> list[int]:
    return sorted(range(values.ndim), key=values.stride, reverse=True)
