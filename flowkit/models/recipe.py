"""The name and settings that a model was created with."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, ParamSpec, TypeVar

import numpy as np
from torch import nn

from flowkit.argument_types import require_types

__all__ = ["Recipe", "content_of", "copied", "recipe_of", "remembered"]

P = ParamSpec("P")
Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Recipe:
    """The arguments of :func:`~flowkit.create_model`: enough to build a model of the same architecture again.

    Args:
        name: the model's name.
        settings: its keyword arguments.
        content: kinds of its modules and shapes of its tensors when it was made.

    Examples:
        >>> Recipe("maf", {"features": 2})
        Recipe(name='maf', settings={'features': 2})
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    content: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)


def content_of(model: nn.Module) -> dict[str, object]:
    """The kind of each module and the shape of each tensor of the state, by their names.

    Args:
        model: any module.

    Examples:
        >>> content_of(nn.Linear(2, 1))
        {'': 'torch.nn.modules.linear.Linear', 'weight': torch.Size([1, 2]), 'bias': torch.Size([1])}
    """
    kinds = {name: f"{type(part).__module__}.{type(part).__qualname__}" for name, part in model.named_modules()}
    return {**kinds, **{key: getattr(value, "shape", None) for key, value in model.state_dict().items()}}


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


def remembered(name: str) -> Callable[[Callable[P, Model]], Callable[P, Model]]:
    """Let the models that a function makes remember its name and arguments: a decorator.

    Args:
        name: by which :func:`~flowkit.create_model` knows the function.

    Returns:
        The decorator.

    Examples:
        >>> from flowkit import maf
        >>> recipe_of(maf(2, hidden=(8,)))
        Recipe(name='maf', settings={'features': 2, 'hidden': (8,)})
    """

    def decorate(builder: Callable[P, Model]) -> Callable[P, Model]:
        signature = inspect.signature(builder)

        @functools.wraps(builder)
        def build(*args: P.args, **kwargs: P.kwargs) -> Model:
            require_types(builder, args, kwargs)
            model = builder(*args, **kwargs)
            settings = copied(signature.bind(*args, **kwargs).arguments)
            if settings.get("standardize") is not None:
                # The numbers are in the state; the data are not to be stored.
                settings["standardize"] = settings["standardize"] is not False
            # In the instance's own dictionary: torch's attributes are typed to be tensors and modules.
            vars(model)["recipe"] = Recipe(name, settings, content_of(model))
            return model

        return build

    return decorate


def copied(value: Any) -> Any:
    """New containers with the same contents, so that later changes to the caller's do not reach the model.

    NumPy's integers and arrays become Python's, which JSON holds.
    """
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Integral) and not isinstance(value, int):
        return int(value)
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    return type(value)(map(copied, value)) if type(value) in (list, tuple) else value
