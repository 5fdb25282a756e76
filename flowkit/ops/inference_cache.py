"""What inference makes of parameters, kept while they stay the same."""

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor

__all__ = ["InferenceCache", "applies"]

T = TypeVar("T")

SAMPLES = 256
"""Each is somewhere else in memory: of an encoder and 96 networks, four times as many would be 54 MB to fetch."""

INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Numbers of so many bytes as what NumPy knows, which lacks bfloat16; and compares without regard to NaN."""


class _Seen(NamedTuple):
    """A tensor as it was; holding its values keeps their memory from being used for others of the same address."""

    tensor: Tensor
    values: Tensor
    address: int
    version: int
    sample: Tensor | None
    """A view of some of its values; ``None`` where its memory has gaps, so that there is no such view."""
    bits: NDArray[Any] | None
    """The same as integers of NumPy, where they are in memory that it can read."""


class _Kept(NamedTuple):
    """What was made of some tensors. Two threads may both make a value: they are the same, and either will do."""

    seen: tuple[_Seen, ...]
    samples: Tensor
    values: dict[Hashable, Any]


class InferenceCache:
    """Values made of parameters and buffers, made anew once one of them has changed.

    A change is seen by the tensor's identity, its address in memory and its version, which every operation in place
    counts up: loading, moving, casting, an optimiser's step. Writing through ``.data`` is not counted by PyTorch; so
    some 256 of the numbers, evenly spread and at least one of each row, are compared as well, which finds any change of
    a whole tensor or row.

    Nothing is kept while gradients are recorded, in compiled code, under autocast or ``torch.func``; copies and pickles
    start empty. Threads may share one.

    Examples:
        >>> weight, cache = torch.ones(2, 2), InferenceCache()
        >>> with torch.no_grad():
        ...     first = cache.get([weight], "double", lambda: 2 * weight)
        ...     assert cache.get([weight], "double", lambda: 2 * weight) is first
        ...     _ = weight.zero_()
        ...     cache.get([weight], "double", lambda: 2 * weight).sum().item()
        0.0
    """

    def __init__(self) -> None:
        # Replaced whole and read once, so that no thread meets half of another's.
        self._kept: _Kept | None = None

    def get(self, tensors: Sequence[Tensor], key: Hashable, make: Callable[[], T]) -> T | None:
        """The value of a key, or ``None`` where nothing may be kept: see :func:`applies`.

        Args:
            tensors: what the value is made of, the same ones at each call.
            key: tells values of the same tensors apart; names all else that the value depends on.
            make: makes the value.

        Returns:
            What ``make`` returned, now or before.
        """
        if not applies():
            self._kept = None
            return None
        kept = self._kept
        if kept is None or not _still(kept, tensors):
            # What is stale is let go before anything is made in its place.
            self._kept = None
            if any(is_functorch_wrapped_tensor(t) or t.is_inference() or t.is_meta for t in tensors):
                return None
            seen = tuple(_seen(tensor) for tensor in tensors)
            self._kept = kept = _Kept(seen, _samples(seen), {})
        if key not in kept.values:
            # Kept values must be ordinary tensors: a later call may record gradients of what it does with them.
            with torch.inference_mode(False), torch.no_grad():
                kept.values[key] = make()
        value: T = kept.values[key]
        return value

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
    if torch.compiler.is_compiling() or torch.is_grad_enabled() or torch._C._is_any_autocast_enabled():
        return False
    return not any(is_functorch_wrapped_tensor(tensor) for tensor in tensors)


def _still(kept: _Kept, tensors: Sequence[Tensor]) -> bool:
    if len(tensors) != len(kept.seen):
        return False
    for tensor, seen in zip(tensors, kept.seen, strict=True):
        if tensor is not seen.tensor or tensor.data_ptr() != seen.address or tensor._version != seen.version:
            return False
    return torch.equal(_samples(kept.seen), kept.samples)


def _samples(seen: Sequence[_Seen]) -> Tensor:
    """The samples in one: calls cost more than numbers here, and a GPU is waited for at each comparison."""
    bits = [one.bits for one in seen if one.bits is not None]
    if len(bits) == len(seen):
        # For small pieces with gaps between their numbers that takes a third of PyTorch's time.
        return torch.from_numpy(np.concatenate(bits))
    return torch.cat([one.tensor.flatten() if one.sample is None else one.sample for one in seen])


def _seen(tensor: Tensor) -> _Seen:
    values = tensor.detach()
    sample = _sample(values)
    return _Seen(tensor, values, tensor.data_ptr(), tensor._version, sample, None if sample is None else _bits(sample))


def _sample(values: Tensor) -> Tensor | None:
    in_memory = values.permute(sorted(range(values.ndim), key=values.stride, reverse=True)).flatten()
    if in_memory.data_ptr() != values.data_ptr():
        return None
    rows = len(values) if values.ndim > 1 else 1
    distance = max(1, values.numel() // max(SAMPLES, rows))
    # Else the samples would be of a few columns.
    while math.gcd(distance, values.numel()) > 1:
        distance -= 1
    return in_memory[::distance]


def _bits(sample: Tensor) -> NDArray[Any] | None:
    integers = INTEGERS.get(sample.element_size())
    return None if integers is None or sample.device.type != "cpu" else sample.view(integers).numpy()
