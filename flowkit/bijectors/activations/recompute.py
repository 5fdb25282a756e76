"""A call of which its arguments alone are stored: the backward pass runs it again."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from flowkit.bijectors.activations.replay import Autocast, RandomState, forked_random_state
from flowkit.ops.private import pytree

__all__ = ["recompute", "vector_jacobian_products"]


def recompute(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function, and store nothing but its arguments for the backward pass.

    The gradients can be differentiated again. ``torch.utils.checkpoint`` does the same by hooks on saved tensors, under
    which ``torch.func`` refuses to take derivatives; without those, every tensor that gets a gradient has to be among
    the arguments.

    Args:
        function: to tensors in any structure; it must not remember what it is called with.
        arguments: its arguments, tensors in any structure.

    Returns:
        Its result.

    Examples:
        >>> x = torch.ones(2, requires_grad=True)
        >>> y = recompute(lambda x: (x**3).sum(), x)
        >>> (slope,) = torch.autograd.grad(y, x, create_graph=True)
        >>> slope, torch.autograd.grad(slope.sum(), x)[0]
        (tensor([3., 3.], grad_fn=<...>), tensor([6., 6.]))
    """
    leaves, spec = pytree.tree_flatten(arguments)
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    tensors = [leaves[i] for i in places]
    call = _Call(function, [None if isinstance(leaf, Tensor) else leaf for leaf in leaves], places, spec)
    result = _Recompute.apply(call, *tensors)
    return pytree.tree_unflatten(list(result), call.result_spec)


def vector_jacobian_products(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], grad_outputs: Sequence[Tensor], create_graph: bool = False
) -> list[Tensor | None]:
    """Gradients of the outputs, weighted by ``grad_outputs``: ``None`` for an input that no output depends on."""
    recorded = [(y, g) for y, g in zip(outputs, grad_outputs, strict=True) if y.requires_grad]
    found: list[Tensor | None] = [None] * len(inputs)
    asked = [i for i, x in enumerate(inputs) if x.requires_grad]
    if recorded and asked:
        ys, gs = zip(*recorded, strict=True)
        slopes = torch.autograd.grad(ys, [inputs[i] for i in asked], gs, allow_unused=True, create_graph=create_graph)
        for i, slope in zip(asked, slopes, strict=True):
            found[i] = slope
    return found


class _Call:
    """A function with those of its arguments that are no tensors, and what it has run under."""

    def __init__(
        self, function: Callable[..., Any], others: list[Any], places: list[int], spec: pytree.TreeSpec
    ) -> None:
        self.function = function
        self.others = others
        self.places = places
        self.spec = spec
        self.result_spec = spec

    def run(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The leaves of the result."""
        leaves = list(self.others)
        for place, tensor in zip(self.places, tensors, strict=True):
            leaves[place] = tensor
        result, self.result_spec = pytree.tree_flatten(self.function(*pytree.tree_unflatten(leaves, self.spec)))
        return result


class _Recompute(torch.autograd.Function):
    """A call as one operation of autograd's."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.call = call
        ctx.autocast, ctx.random_state = Autocast.now(tensors[0]), RandomState.now(tensors)
        with ctx.autocast.again():
            result = call.run(tensors)
        ctx.save_for_backward(*tensors)
        return tuple(result)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        create_graph = torch.is_grad_enabled()
        # Other tensors than the caller's: of one that another was made from, autograd would also return the other's
        # share; and hooks on a tensor are for its whole gradient.
        apart = _alias if create_graph else _leaf
        tensors = [apart(t, wanted) for t, wanted in zip(ctx.saved_tensors, ctx.needs_input_grad[1:], strict=True)]
        with forked_random_state(tensors), ctx.autocast.again(), torch.enable_grad():
            ctx.random_state.restore()
            outputs = ctx.call.run(tensors)
            return None, *vector_jacobian_products(outputs, tensors, grad_outputs, create_graph)


def _leaf(x: Tensor, wanted: bool) -> Tensor:
    return x.detach().requires_grad_(wanted)


def _alias(x: Tensor, wanted: bool) -> Tensor:
    return x.view_as(x) if wanted else x.detach()
