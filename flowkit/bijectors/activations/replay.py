"""What a computation ran under, to run it again: random numbers, and autocast."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import get_device_states, set_device_states

from flowkit.ops.private import pytree

__all__ = ["Autocast", "Draws", "RandomState", "forked_random_state"]


@dataclass(frozen=True)
class RandomState:
    """States of PyTorch's global random generators: the CPU's, and those of the devices that some tensors are on.

    Args:
        cpu: the CPU's.
        device_type: what the other devices are.
        devices: their numbers.
        states: and theirs.

    Examples:
        >>> state = RandomState.now(torch.zeros(1))
        >>> first = torch.rand(3)
        >>> state.restore()
        >>> bool((torch.rand(3) == first).all()), RandomState.now(torch.zeros(1)) == state
        (True, False)
    """

    cpu: Tensor
    device_type: str
    devices: list[int]
    states: list[Tensor]

    @classmethod
    def now(cls, value: Any) -> "RandomState":
        """The states at this moment.

        Args:
            value: tensors in any structure, whose devices count.
        """
        tensors = [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, Tensor)]
        types = [t.device.type for t in tensors if t.device.type not in ("cpu", "meta")]
        return cls(torch.get_rng_state(), types[0] if types else "cuda", *get_device_states(*tensors))

    def restore(self) -> None:
        """Set the generators back."""
        torch.set_rng_state(self.cpu)
        set_device_states(self.devices, self.states, device_type=self.device_type)

    def __eq__(self, other: object) -> bool:
        """Whether nothing was drawn in between."""
        return (
            isinstance(other, RandomState)
            and self.devices == other.devices
            and all(map(torch.equal, (self.cpu, *self.states), (other.cpu, *other.states)))
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Draws:
    """What the random numbers that a computation draws depend on.

    Args:
        state: the generators' before it.
        strides: those of its input's tensors: numbers are drawn in the order in memory.

    Examples:
        >>> x = torch.zeros(2, 3).T
        >>> draws = Draws.of(RandomState.now(x), x)
        >>> draws.laid_out(torch.zeros(3, 2)).stride()
        (1, 3)
    """

    state: RandomState
    strides: list[tuple[int, ...]]

    @classmethod
    def of(cls, state: RandomState, value: Any) -> "Draws":
        """Those of a computation on some tensors, in any structure, that starts at some state."""
        # Of an expanded tensor, the strides that random numbers for it have.
        leaves = pytree.tree_leaves(value)
        return cls(state, [torch.empty_like(leaf, device="meta").stride() for leaf in leaves])

    def laid_out(self, value: Any) -> Any:
        """The same tensors in the input's order in memory, as far as they have as many dimensions."""
        leaves, spec = pytree.tree_flatten(value)
        if len(leaves) != len(self.strides):
            return value
        return pytree.tree_unflatten(list(map(_laid_out, leaves, self.strides)), spec)


def _laid_out(x: Tensor, stride: tuple[int, ...]) -> Tensor:
    if x.stride() == stride or x.ndim != len(stride):
        return x
    order = sorted(range(x.ndim), key=stride.__getitem__, reverse=True)
    back = sorted(range(x.ndim), key=order.__getitem__)
    return x.permute(order).contiguous().permute(back)


@dataclass(frozen=True)
class Autocast:
    """Autocast as it is set for the CPU and the device of a tensor.

    Args:
        settings: device type, type to cast to, and whether it does.

    Examples:
        >>> with torch.autocast("cpu", dtype=torch.bfloat16):
        ...     autocast = Autocast.now(torch.zeros(1))
        >>> with autocast.again():
        ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
        torch.bfloat16
    """

    settings: list[tuple[str, torch.dtype, bool]]

    @classmethod
    def now(cls, like: Tensor) -> "Autocast":
        """The settings at this moment."""
        types = [t for t in dict.fromkeys(("cpu", like.device.type)) if torch.amp.is_autocast_available(t)]
        return cls([(t, torch.get_autocast_dtype(t), torch.is_autocast_enabled(t)) for t in types])

    @contextmanager
    def again(self) -> Iterator[None]:
        """The same settings, but that no cast parameter is kept.

        Some versions of PyTorch take one that was cast without gradients for the same parameter's cast with gradients.
        """
        with ExitStack() as stack:
            for device_type, dtype, enabled in self.settings:
                if enabled or torch.is_autocast_enabled(device_type):
                    stack.enter_context(torch.autocast(device_type, dtype, enabled, cache_enabled=False))
            yield


@contextmanager
def forked_random_state(value: Any) -> Iterator[None]:
    """Leave the random generators of the CPU and the tensors' devices as they are found, whatever is drawn."""
    state = RandomState.now(value)
    try:
        yield
    finally:
        state.restore()
