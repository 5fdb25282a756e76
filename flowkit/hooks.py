"""Whether a network's layers do more than their classes say: hooks, replaced layers, parametrisations."""

from collections.abc import Iterable

from torch import nn

from flowkit.ops.private import HOOKS_FOR_ALL_MODULES

__all__ = ["why_called"]


def why_called(layers: Iterable[tuple[nn.Module | None, type[nn.Module]]]) -> str | None:
    """Why a network has to call its layers; ``None`` where a function of their parameters does the same.

    Args:
        layers: each with the class that the network made it of. A derived class may do something else: a
            parametrisation makes one.

    Returns:
        The first reason that applies.

    Examples:
        >>> layer = nn.Linear(2, 2)
        >>> why_called([(layer, nn.Linear)]), why_called([(layer, nn.Conv2d)])
        (None, 'a layer is a Linear, not a Conv2d')
    """
    for layer, expected in layers:
        if type(layer) is not expected:
            return f"a layer is a {type(layer).__name__}, not a {expected.__name__}"
        if "forward" in layer.__dict__:
            return f"the forward of {expected.__name__} was replaced"
        if layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks or layer._backward_pre_hooks:
            return f"{expected.__name__} has hooks"
    return "all modules have hooks" if any(HOOKS_FOR_ALL_MODULES) else None
