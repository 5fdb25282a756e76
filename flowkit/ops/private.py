"""Every private name of torch that flowkit uses, each with what happens where a version of torch lacks it."""

from collections.abc import Callable, Mapping
from operator import attrgetter

import torch
from torch import Tensor
from torch.nn.modules import module as _module
from torch.utils import _pytree as pytree

__all__ = ["HOOKS_FOR_ALL_MODULES", "gamma_variates", "is_wrapped", "pytree", "transforms_are_active", "version"]


def _never(*_: object) -> bool:
    return False


# Without them, this torch has no torch.func either. As they are, not in functions of ours: they are asked at each call.
is_wrapped: Callable[[Tensor], bool] = getattr(
    getattr(torch._C, "_functorch", None), "is_functorch_wrapped_tensor", _never
)
"""Whether ``torch.func`` has wrapped a tensor, whose values then cannot be read or its memory laid out."""

transforms_are_active: Callable[[], bool] = getattr(torch._C, "_are_functorch_transforms_active", _never)
"""Whether a transform of ``torch.func`` (vmap, grad, jvp, ...) is on the way."""

HOOKS_FOR_ALL_MODULES: list[Mapping[int, object]] = [
    getattr(_module, name, {})
    for name in (
        "_global_forward_hooks",
        "_global_forward_pre_hooks",
        "_global_backward_hooks",
        "_global_backward_pre_hooks",
    )
]
"""Hooks for the calls of all modules, as ``register_module_forward_hook`` registers them."""


def gamma_variates(concentration: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draws from Gamma(concentration, 1); only the private function takes a generator."""
    drawn: Tensor = torch._standard_gamma(concentration, generator=generator)
    return drawn


version: Callable[[Tensor], int] = attrgetter("_version")
"""How often a tensor was changed in place."""
