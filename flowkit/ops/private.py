"""Every private name of torch that flowkit uses, each with what happens where a version of torch lacks it."""

import torch
from torch import Tensor
from torch.nn.modules import module as _module
from torch.utils import _pytree as pytree

__all__ = ["gamma_variates", "hooks_for_all_modules", "is_wrapped", "pytree", "transforms_are_active"]


def _never(*_: object) -> bool:
    return False


# Without them, this torch has no torch.func either.
_is_wrapped = getattr(getattr(torch._C, "_functorch", None), "is_functorch_wrapped_tensor", _never)
_transforms_are_active = getattr(torch._C, "_are_functorch_transforms_active", _never)

_GLOBAL_HOOKS = [
    getattr(_module, name, {})
    for name in (
        "_global_forward_hooks",
        "_global_forward_pre_hooks",
        "_global_backward_hooks",
        "_global_backward_pre_hooks",
    )
]


def is_wrapped(x: Tensor) -> bool:
    """Whether ``torch.func`` has wrapped a tensor, whose values then cannot be read or its memory laid out."""
    return bool(_is_wrapped(x))


def transforms_are_active() -> bool:
    """Whether a transform of ``torch.func`` (vmap, grad, jvp, ...) is on the way."""
    return bool(_transforms_are_active())


def gamma_variates(concentration: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draws from Gamma(concentration, 1); only the private function takes a generator."""
    drawn: Tensor = torch._standard_gamma(concentration, generator=generator)
    return drawn


def hooks_for_all_modules() -> bool:
    """Whether hooks are registered for the calls of all modules, as ``register_module_forward_hook`` does."""
    return any(_GLOBAL_HOOKS)
