"""Derivatives of a map that treats each sample by itself."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from flowkit.ops.private import pytree

__all__ = ["jacobian", "out_of_inference_mode", "value_and_pullback"]

T = TypeVar("T")


def jacobian(function: Callable[[Tensor], Tensor], x: Tensor, event_dims: int) -> tuple[Tensor, Tensor]:
    r"""The value and the Jacobian of a function of events, :math:`J_{ij} = \partial y_i / \partial x_j`, by sample.

    One run of the function and one backward pass per number in an event, all at once. Since no sample sees another,
    a backward pass for the same output of every sample gives a row of every sample's matrix. Both results can be
    differentiated further.

    Args:
        function: any number of batch dimensions, then an event, to the same shape; samples must not see each other.
        x: where, ``batch x event``.
        event_dims: how many trailing dimensions make one event of ``D`` numbers.

    Returns:
        ``function(x)``, and its Jacobian, ``batch x D x D``.

    Examples:
        >>> value, matrix = jacobian(torch.square, torch.tensor([[1.0, 2.0]]), event_dims=1)
        >>> value, matrix
        (tensor([[1., 4.]]), tensor([[[2., 0.],
                 [0., 4.]]]))
    """
    batch = x.ndim - event_dims
    event = x.shape[batch:]
    value, pullback = value_and_pullback(function, x)
    size = event.numel()
    outputs = torch.eye(size, dtype=value.dtype, device=value.device).reshape(size, *[1] * batch, *event)
    rows = torch.func.vmap(pullback)(outputs.expand(size, *value.shape))
    return value, rows.flatten(batch + 1).movedim(0, -2)


def value_and_pullback(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    r"""The value, and the function :math:`v \mapsto J^\top v`: one backward pass, as often as it is called.

    Args:
        function: of a tensor.
        x: where.

    Returns:
        ``function(x)``, and a function from a tensor of its shape to one of ``x``'s.

    Examples:
        >>> _, pullback = value_and_pullback(torch.square, torch.tensor([1.0, 2.0]))
        >>> pullback(torch.ones(2))
        tensor([2., 4.])
    """
    both: Any = out_of_inference_mode(lambda x: torch.func.vjp(function, x), x)
    value, pullback = both
    return value, lambda v: out_of_inference_mode(pullback, v)[0]


def out_of_inference_mode(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function that takes derivatives, as under ``torch.no_grad()`` if ``torch.inference_mode()`` is on.

    In inference mode ``torch.func`` gives zeros for derivatives, without a word, in torch before 2.13; and no version
    saves a tensor that was made in that mode, so that those among the arguments are copied.

    Args:
        function: of the arguments; what else it uses must not have been made in inference mode.
        arguments: tensors in any structure.

    Returns:
        Its result.

    Examples:
        >>> with torch.inference_mode():
        ...     out_of_inference_mode(torch.func.grad(torch.sin), torch.zeros(()))
        tensor(1.)
    """
    if torch.compiler.is_compiling():
        # No graph holds the question for the mode; without gradients nothing is lost by leaving it.
        if torch.is_grad_enabled():
            return function(*arguments)
        copied = _copied
    elif torch.is_inference_mode_enabled():
        copied = _usable
    else:
        return function(*arguments)
    with torch.inference_mode(False), torch.no_grad():
        return function(*pytree.tree_map(copied, arguments))


def _copied(leaf: Any) -> Any:
    return leaf.clone() if isinstance(leaf, Tensor) else leaf


def _usable(leaf: Any) -> Any:
    return leaf.clone() if isinstance(leaf, Tensor) and leaf.is_inference() else leaf
