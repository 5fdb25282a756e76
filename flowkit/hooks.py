"""Whether a module does more than its class says: hooks, replaced layers, parametrisations."""

from collections.abc import Mapping

from torch import nn

from flowkit.ops.private import module_hooks

__all__ = ["has_hooks", "why_called"]


def has_hooks(*modules: nn.Module) -> bool:
    """Whether a hook waits for the call of one of these modules, for one of its gradients, or for all modules' calls.

    Args:
        modules: only they are looked at, not what is in them.

    Examples:
        >>> layer = nn.Linear(2, 2)
        >>> has_hooks(layer)
        False
        >>> _ = layer.register_forward_hook(lambda module, args, output: None)
        >>> has_hooks(layer)
        True
    """
    return module_hooks(None) or any(module_hooks(module) for module in modules)


def why_called(layers: Mapping[nn.Module, type[nn.Module]]) -> str | None:
    """Why a network has to call its layers; ``None`` where a function of their parameters does the same.

    Args:
        layers: each with the class that the network made it of. A derived class may do something else: a
            parametrisation makes one.

    Returns:
        The first reason that applies.

    Examples:
        >>> layer = nn.Linear(2, 2)
        >>> why_called({layer: nn.Linear}), why_called({layer: nn.Conv2d})
        (None, 'a layer is a Linear, not a Conv2d')
    """
    for layer, expected in layers.items():
        if type(layer) is not expected:
            return f"a layer is a {type(layer).__name__}, not a {expected.__name__}"
        if "forward" in vars(layer):
            return f"the forward of a {expected.__name__} was replaced"
    return "a layer has hooks" if has_hooks(*layers) else None
