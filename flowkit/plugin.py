"""Models from plugins, found by entry point."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    # Importing the package costs no check's machinery.
    from flowkit.testing.case import Case

__all__ = ["Plugin", "plugins"]

GROUP = "flowkit.plugins"


@dataclass(frozen=True)
class Plugin:
    """What a package offers under an entry point of the group ``flowkit.plugins``.

    Args:
        models: name to a callable that builds the model from keyword arguments.
        bijectors: name to a :class:`flowkit.testing.Case` of an example bijector; ``python -m flowkit.testing`` checks
            them together with flowkit's own.

    Examples:
        >>> from flowkit import Squeeze, nsf
        >>> from flowkit.testing import Case
        >>> plugin = Plugin(models={"my-nsf": nsf}, bijectors={"my-squeeze": Case(Squeeze, event=(3, 4, 6))})
        >>> plugin.models["my-nsf"](features=2).event_shape
        (2,)
    """

    models: Mapping[str, Callable[..., nn.Module]] = field(default_factory=dict)
    bijectors: Mapping[str, "Case"] = field(default_factory=dict)


def plugins() -> dict[str, Plugin]:
    """The installed plugins by entry-point name.

    Returns:
        A dict, empty when no plugin is installed.

    Raises:
        ImportError: an entry point leads nowhere; its package is named.
        TypeError: an entry point does not lead to a :class:`Plugin`.

    Examples:
        >>> all(isinstance(plugin, Plugin) for plugin in plugins().values())
        True
    """
    found = {}
    for point in entry_points(group=GROUP):
        try:
            plugin = point.load()
        except (ImportError, AttributeError) as error:
            package = point.dist.name if point.dist else "an unknown package"
            raise ImportError(
                f"the plugin {point.name!r} of {package} cannot be loaded from {point.value!r}: {error}; "
                f"repair or uninstall {package}"
            ) from error
        if not isinstance(plugin, Plugin):
            raise TypeError(f"entry point {point.name!r} of group {GROUP!r} is {plugin!r}, not a flowkit.Plugin")
        found[point.name] = plugin
    return found
