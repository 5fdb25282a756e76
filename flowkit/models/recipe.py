"""The name and settings that a model was created with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

__all__ = ["Recipe", "recipe_of"]


@dataclass(frozen=True)
class Recipe:
    """The arguments of :func:`~flowkit.create_model`: enough to build a model of the same architecture again.

    Args:
        name: the model's name.
        settings: its keyword arguments.

    Examples:
        >>> Recipe("maf", {"features": 2})
        Recipe(name='maf', settings={'features': 2})
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def recipe_of(model: nn.Module) -> Recipe | None:
    """The recipe that a model remembers.

    Args:
        model: any module.

    Returns:
        The recipe; ``None`` for a model that was not made by :func:`~flowkit.create_model`.

    Examples:
        >>> recipe_of(nn.Identity()) is None
        True
    """
    # Not by getattr: torch.compile's wrapper forwards attributes, but its state dict has other names.
    recipe = vars(model).get("recipe")
    return recipe if isinstance(recipe, Recipe) else None
