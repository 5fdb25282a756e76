"""Whether a module does more than its class says: hooks, replaced layers, parametrisations."""

from collections.abc import Iterable

from torch import nn

from flowkit.ops.private import hooks_for_all_modules

__all__ = ["has_hooks", "why_called"]


def has_hooks(module: nn.Module) -> bool:
    """Whether a hook waits for the module's call or for gradients of it, or one for the calls of all modules.

    Args:
        module: it alone is looked at, not what is in it.

    Examples:
        >>> layer = nn.Linear(2, 2)
        >>> has_hooks(layer)
        False
        >>> _ = layer.register_forward_hook(lambda module, args, output: None)
        >>> has_hooks(layer)
        True
    """
    own = module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    return bool(own) or hooks_for_all_modules()


def why_called(layers: Iterable[tuple[nn.Module, type[nn.Module]]]) -> str | None:
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
        if "forward" in vars(layer):
            return f"the forward of {expected.__name__} was replaced"
        if has_hooks(layer):
            return f"{expected.__name__} has hooks"
    return None
