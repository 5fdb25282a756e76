"""Objects that remember what they were made with."""

import dataclasses
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from flowkit.argument_types import require_types

__all__ = ["Arguments", "Recorded", "Unstorable", "arguments_of", "make_recorded", "record_arguments"]


class Arguments(NamedTuple):
    """The arguments of a call.

    Attributes:
        positional: those by place.
        named: those by name.

    Examples:
        >>> Arguments((3,), {"event_dims": 1}).positional
        (3,)
    """

    positional: tuple[Any, ...]
    named: dict[str, Any]


class Unstorable(NamedTuple):
    """Stands for an argument that no file could hold, as a function.

    Attributes:
        what: the type of the argument.

    Examples:
        >>> Unstorable("generator").what
        'generator'
    """

    what: str


class Recorded:
    """A class whose objects remember their constructor's arguments, from which :func:`~flowkit.save_model` stores them.

    Examples:
        >>> class Pair(Recorded):
        ...     def __init__(self, first, second=2):
        ...         self.sum = first + second
        >>> arguments_of(Pair(1, second=5))
        Arguments(positional=(1,), named={'second': 5})
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """An object that is not initialised yet."""
        return _new(cls, *args, **kwargs)


def make_recorded(cls: type) -> None:
    """Let the objects of any class remember their arguments from now on.

    Args:
        cls: a class whose ``__new__`` is Python's own.

    Examples:
        >>> class Plain: pass
        >>> make_recorded(Plain)
        >>> arguments_of(Plain())
        Arguments(positional=(), named={})
    """
    if not issubclass(cls, Recorded):
        cls.__new__ = staticmethod(_new)  # type: ignore[method-assign]


def arguments_of(value: Any) -> Arguments | None:
    """What an object was made with; ``None`` where that is not known."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return Arguments((), {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init})
    made_with = getattr(value, "__dict__", {}).get("_made_with")
    return made_with if isinstance(made_with, Arguments) else None


def record_arguments(value: object, *positional: Any) -> None:
    """Let an object that was changed remember what would make it as it is now.

    Args:
        value: the object.
        positional: the arguments of its constructor.

    Examples:
        >>> pair = Recorded()
        >>> record_arguments(pair, 1, 2)
        >>> arguments_of(pair)
        Arguments(positional=(1, 2), named={})
    """
    vars(value)["_made_with"] = Arguments(_kept(positional), {})


def _new(cls: Any, *args: Any, **kwargs: Any) -> Any:
    made = object.__new__(cls)
    # What compiled code makes on its way is not stored, and torch before 2.11 does not trace this.
    if torch.compiler.is_compiling():
        return made
    # A copy, and an object that is unpickled, is made without arguments, and gets those of the original afterwards.
    if (args or kwargs) and cls.__module__.startswith("flowkit."):
        require_types(cls, args, kwargs)
    vars(made)["_made_with"] = Arguments(_kept(args), _kept(kwargs))
    return made


def _kept(value: Any) -> Any:
    """An argument such that whoever remembers it can be copied and pickled as before."""
    if type(value) in (list, tuple):
        return type(value)(map(_kept, value))
    if type(value) is dict:
        return {key: _kept(part) for key, part in value.items()}
    if isinstance(value, nn.Parameter | nn.Module | Recorded | torch.Size | bool | int | float | str | type(None)):
        return value
    if isinstance(value, Integral | Real):
        # NumPy's, which JSON does not hold.
        return int(value) if isinstance(value, Integral) else float(value)
    if isinstance(value, Tensor):
        return value.detach()
    if dataclasses.is_dataclass(value) or (isinstance(value, type) and "<locals>" not in value.__qualname__):
        return value
    return Unstorable(type(value).__name__)
