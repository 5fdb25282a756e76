"""Every private name of torch that flowkit uses, each with what happens where a version of torch lacks it."""

import torch
from torch import Tensor, nn
from torch.nn.modules import module as _module
from torch.utils import _pytree as pytree

__all__ = [
    "convolve_packed",
    "gamma_variates",
    "is_wrapped",
    "module_hooks",
    "pack_kernel",
    "packing_is_available",
    "pytree",
    "transforms_are_active",
    "version",
]


def _never(*_: object) -> bool:
    return False


# Without them, this torch has no torch.func either.
_is_wrapped = getattr(getattr(torch._C, "_functorch", None), "is_functorch_wrapped_tensor", _never)
_transforms_are_active = getattr(torch._C, "_are_functorch_transforms_active", _never)


def is_wrapped(x: Tensor) -> bool:
    """Whether ``torch.func`` has wrapped a tensor, whose values then cannot be read or its memory laid out."""
    return bool(_is_wrapped(x))


def transforms_are_active() -> bool:
    """Whether a transform of ``torch.func`` (vmap, grad, jvp, ...) is on the way."""
    return bool(_transforms_are_active())


def version(x: Tensor) -> int:
    """How often a tensor was changed in place."""
    return x._version


def gamma_variates(concentration: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draws from Gamma(concentration, 1); only the private function takes a generator."""
    drawn: Tensor = torch._standard_gamma(concentration, generator=generator)
    return drawn


def packing_is_available() -> bool:
    """Whether this torch has oneDNN, switched on, and the operators that convolve by packed kernels."""
    return (
        torch.backends.mkldnn.is_available()
        and bool(torch.backends.mkldnn.enabled)
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
        and hasattr(torch.ops.mkldnn, "_reorder_convolution_weight")
    )


def pack_kernel(weight: Tensor, padding: list[int], size: tuple[int, int]) -> Tensor:
    """A kernel ``N x C x h x w`` in the order in memory that oneDNN wants for images of a size; opaque."""
    shape = [1, weight.shape[1], *size]
    packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(weight, padding, [1, 1], [1, 1], 1, shape)
    return packed


def convolve_packed(x: Tensor, packed: Tensor, bias: Tensor | None, padding: list[int]) -> Tensor:
    """Convolution of an image by a packed kernel."""
    y: Tensor = torch.ops.mkldnn._convolution_pointwise(x, packed, bias, padding, [1, 1], [1, 1], 1, "none", [], "")
    return y


_KINDS_OF_HOOKS = ("forward_pre_hooks", "forward_hooks", "backward_pre_hooks", "backward_hooks")


def module_hooks(module: nn.Module | None) -> bool:
    """Whether a module has hooks of its own, or, for ``None``, whether there are hooks for all modules."""
    if module is None:
        return any(getattr(_module, f"_global_{kind}", None) for kind in _KINDS_OF_HOOKS)
    return any(getattr(module, f"_{kind}", None) for kind in _KINDS_OF_HOOKS)
