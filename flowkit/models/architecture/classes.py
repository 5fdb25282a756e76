"""The classes that a stored architecture may name: nothing else is made from a file."""

import importlib
from functools import cache
from typing import TypeVar

import torch
from torch import nn

from flowkit.recorded import make_recorded

__all__ = ["class_named", "name_of", "storable"]

ROOMS = (
    "flowkit",
    "flowkit.bijectors",
    "flowkit.transforms",
    "flowkit.distributions",
    "flowkit.surjections",
    "flowkit.nn",
)
FROM_TORCH = {"torch.nn": nn.Module, "torch.distributions": torch.distributions.Distribution}

Class = TypeVar("Class", bound=type)

_registered: dict[str, type] = {}


def storable(cls: Class) -> Class:
    r"""Let flows that hold a class of yours be stored: a decorator.

    :func:`~flowkit.save_model` writes down the class's full name and what each object was made with;
    :func:`~flowkit.load_model` makes it again, in a program that has imported the class's module. A class that is not
    declared so is never made from a file.

    Args:
        cls: a bijector, a network, a base distribution or a part of one; its constructor's arguments are numbers,
            texts, tensors, classes, other such objects, and lists, tuples and dicts of those.

    Returns:
        The class.

    Raises:
        ValueError: another class of that name is declared already, or the class is local to a function.

    Examples:
        >>> @storable
        ... class Doubling(nn.Module):
        ...     def forward(self, x):
        ...         return torch.cat([x, x], -1)
    """
    name = f"{cls.__module__}.{cls.__qualname__}"
    if "<locals>" in name:
        raise ValueError(f"{name} is local to a function, where no other program finds it: define it in a module")
    before = _registered.get(name)
    if before is not None and (before.__module__, before.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ValueError(f"another class {name} is declared already")
    make_recorded(cls)
    _registered[name] = cls
    return cls


def name_of(cls: type) -> str | None:
    """The name that a class is stored by; ``None`` where no file may name it."""
    for name, known in _registered.items():
        if known is cls:
            return name
    if cls in _own_names():
        return _own_names()[cls]
    for module, base in FROM_TORCH.items():
        if issubclass(cls, base) and getattr(importlib.import_module(module), cls.__name__, None) is cls:
            return f"{module}.{cls.__name__}"
    return None


def class_named(name: str) -> type:
    """The class of a stored name.

    Args:
        name: as :func:`name_of` gave it.

    Returns:
        The class.

    Raises:
        ValueError: no class may be named so; that of a module which is not imported among them.

    Examples:
        >>> class_named("torch.nn.Linear") is nn.Linear
        True
    """
    if name in _registered:
        return _registered[name]
    own = {known: cls for cls, known in _own_names().items()}
    if name in own:
        return own[name]
    module, _, last = name.rpartition(".")
    found = getattr(importlib.import_module(module), last, None) if module in FROM_TORCH else None
    if isinstance(found, type) and issubclass(found, FROM_TORCH[module]):
        return found
    raise ValueError(
        f"no class {name!r} may be made from a file: import the module that declares it by flowkit.models.storable "
        "first, or use the version of flowkit that wrote it"
    )


@cache
def _own_names() -> dict[type, str]:
    """Public classes of flowkit's own, by the name of their room."""
    names: dict[type, str] = {}
    for room in ROOMS:
        module = importlib.import_module(room)
        for name in module.__all__:
            value = getattr(module, name)
            if isinstance(value, type) and value.__module__.startswith("flowkit."):
                names.setdefault(value, f"{room}.{name}")
    return names
