"""Tensors that follow from a module's constructor: never saved, and never left without their values."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["WithConstants", "place_constants", "place_constants_after_loading"]


class WithConstants(nn.Module):
    """A module with constants: masks, index tables and the like, which follow from the constructor's arguments.

    A constant is a buffer that is no part of the state dict. Its values are kept beside it, on the CPU, so that they
    return after whatever loses them: ``to_empty``, or loading into a model that was on the meta device.

    Examples:
        >>> class Lower(WithConstants):
        ...     def __init__(self, size):
        ...         super().__init__()
        ...         self.register_constant("mask", lambda: torch.ones(size, size).tril())
        >>> with torch.device("meta"):
        ...     module = Lower(2)
        >>> module.to_empty(device="cpu").mask
        tensor([[1., 0.],
                [1., 1.]])
    """

    # Name to values. Each instance that has some has a dictionary of its own.
    _constants: Mapping[str, Tensor] = MappingProxyType({})

    def register_constant(self, name: str, make: Callable[[], Tensor]) -> None:
        """Add a constant, as a buffer on the default device.

        Args:
            name: of the buffer.
            make: returns its values; it is called once, with the CPU as the default device.
        """
        home = torch.empty(0).device
        with torch.device("cpu"):
            values = make().detach().cpu()
        if not self._constants:
            place_constants_after_loading(self)
        self._constants = {**self._constants, name: values}
        # A copy, so that nothing done to the buffer reaches the values.
        self.register_buffer(name, values.clone().to(home), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        before = {name: self._buffers[name] for name in self._constants}
        super()._apply(fn, recurse)
        for name, old in before.items():
            new = self._buffers[name]
            if new is not None and new is not old and not new.is_meta:
                with torch.no_grad():
                    new.copy_(self._constants[name])
        return self

    def _place(self, like: Tensor) -> None:
        """Make those constants that are on the meta device again, where ``like`` is and in its type if floating."""
        for name, values in self._constants.items():
            buffer = self._buffers[name]
            if buffer is not None and buffer.is_meta:
                dtype = like.dtype if values.is_floating_point() else values.dtype
                self._buffers[name] = values.clone().to(like.device, dtype)


def place_constants_after_loading(module: nn.Module) -> None:
    """Make a module place the constants of all modules within it whenever a state dict was loaded into it.

    A module with constants does so by itself. One whose parts have constants and no state of their own, as a base
    distribution may be, does it for them.
    """
    module.register_load_state_dict_post_hook(_after_loading)


def place_constants(module: nn.Module) -> None:
    """Bring the constants within a module that are on the meta device to its parameters, if those are elsewhere."""
    waiting = [m for m in module.modules() if isinstance(m, WithConstants)]
    like = next((t for t in _state_of(module) if t.is_floating_point() and not t.is_meta), None)
    if like is not None:
        for part in waiting:
            part._place(like)


def _after_loading(module: nn.Module, incompatible_keys: Any) -> None:
    place_constants(module)


def _state_of(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters()
    for part in module.modules():
        constants = part._constants if isinstance(part, WithConstants) else {}
        yield from (b for name, b in part._buffers.items() if b is not None and name not in constants)
