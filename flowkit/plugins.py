"""Models from plugins, found by entry point."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any

from torch import nn

from flowkit.bijector import Bijector

__all__ = ["Plugin", "create_model", "list_models", "plugins"]

GROUP = "flowkit.plugins"


@dataclass(frozen=True)
class Plugin:
    """What a package offers under an entry point of the group ``flowkit.plugins``.

    Args:
        models: name to a callable that builds the model from keyword arguments.
        bijectors: name to a callable without arguments that builds an example bijector, for contract checks.
    """

    models: Mapping[str, Callable[..., nn.Module]] = field(default_factory=dict)
    bijectors: Mapping[str, Callable[[], Bijector[Any, Any]]] = field(default_factory=dict)


def plugins() -> dict[str, Plugin]:
    """The installed plugins by entry-point name.

    Returns:
        A dict, empty when no plugin is installed.

    Raises:
        TypeError: an entry point does not lead to a :class:`Plugin`.

    Examples:
        >>> all(isinstance(plugin, Plugin) for plugin in plugins().values())
        True
    """
    found = {}
    for point in entry_points(group=GROUP):
        plugin = point.load()
        if not isinstance(plugin, Plugin):
            raise TypeError(f"entry point {point.name!r} of group {GROUP!r} is {plugin!r}, not a flowkit.Plugin")
        found[point.name] = plugin
    return found


def list_models() -> list[str]:
    """Names of the models that the installed plugins offer, sorted.

    Examples:
        >>> list_models() == sorted(list_models())
        True
    """
    return sorted(name for plugin in plugins().values() for name in plugin.models)


def create_model(name: str, **settings: Any) -> nn.Module:
    """Build a plugin's model by name.

    Args:
        name: one of :func:`list_models`.
        settings: the model's own keyword arguments.

    Returns:
        The model, freshly initialised.

    Raises:
        KeyError: no installed plugin offers that name; the message lists what there is.

    Examples:
        >>> create_model("no-such-model")
        Traceback (most recent call last):
        ...
        KeyError: "model 'no-such-model' is offered by no installed plugin; ...
    """
    for plugin in plugins().values():
        if name in plugin.models:
            return plugin.models[name](**settings)
    known = list_models()
    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known) or 'none'}."
    raise KeyError(
        f"model {name!r} is offered by no installed plugin; {hint} Plugins come as packages, like flowkit-deflow"
    )
