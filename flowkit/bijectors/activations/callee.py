"""Modules whose tensors are swapped for a call, and calls of them that the backward pass makes again."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from flowkit.bijectors.activations.recompute import recompute

__all__ = ["Callee", "called_again"]

T = TypeVar("T")


class Callee(nn.Module):
    """Modules whose tensors can be swapped for the call of a function.

    The backward pass runs with the tensors of the forward pass, whatever the modules have by then: others, where the
    forward pass was within a ``torch.func.functional_call``.

    Args:
        called: whose tensors the function uses.

    Examples:
        >>> from flowkit import ActNorm
        >>> norm = ActNorm(2)
        >>> Callee([norm]).call(lambda: norm.bias, {"called.0.bias": torch.ones(2)})
        tensor([1., 1.])
    """

    def __init__(self, called: Sequence[nn.Module]) -> None:
        super().__init__()
        self.called = nn.ModuleList(called)

    def tensors(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Parameters and buffers by name: each module once; a tensor that several modules share, for each of them."""
        parameters: dict[str, Tensor] = {}
        buffers: dict[str, Tensor] = {}
        for prefix, module in self.named_modules():
            parameters.update(module.named_parameters(prefix, recurse=False, remove_duplicate=False))
            buffers.update(module.named_buffers(prefix, recurse=False, remove_duplicate=False))
        return parameters, buffers

    def call(self, function: Callable[[], T], tensors: dict[str, Tensor]) -> T:
        """The function's result, while the modules have these tensors."""
        result: T = torch.func.functional_call(self, tensors, (function,), tie_weights=False)
        return result

    def forward(self, function: Callable[[], T]) -> T:
        """The function's result."""
        return function()


def called_again(
    called: Sequence[nn.Module], function: Callable[..., Any], *arguments: Any, listed: bool = True
) -> Any:
    """The result of a function that calls modules; its arguments are stored, and the backward pass runs it again.

    Args:
        called: the modules, with the tensors that they have now.
        function: of the arguments.
        arguments: tensors in any structure.
        listed: whether the function uses no tensors but the arguments' and the modules'.

    Returns:
        The function's result.
    """
    if torch.compiler.is_compiling():
        # Compiled, the tensors are the graph's inputs: none can be swapped by the backward pass.
        if _take_derivatives(called):
            return function(*arguments)
        return checkpoint(function, *arguments, use_reentrant=False)
    callee = Callee(called)
    parameters, buffers = callee.tensors()

    def run(arguments: tuple[Any, ...], parameters: dict[str, Tensor]) -> Any:
        # Buffers are not among what must not change: the call itself may change them.
        return callee.call(lambda: function(*arguments), {**parameters, **buffers})

    if listed:
        return recompute(run, arguments, parameters)
    return checkpoint(run, arguments, parameters, use_reentrant=False)


def _take_derivatives(called: Sequence[nn.Module]) -> bool:
    # By what it has: a compiled bijector is no Bijector.
    return any(getattr(part, "takes_derivatives", False) for module in called for part in module.modules())
