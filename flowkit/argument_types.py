"""Arguments checked by the annotations of what takes them, where a layer or a model is made."""

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from numbers import Integral, Real
from types import UnionType
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.naming import named, with_article

__all__ = ["require_types"]

# Whether a value fits, and what to say where it does not.
Kind = tuple[Callable[[Any], bool], str]


def require_types(taker: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Refuse arguments of another type than the annotation says, before they fail deep inside a layer.

    Numbers, tensors, lists, functions and objects of flowkit's are checked; whether a module is a bijector, a base
    distribution or a transform, a layer asks itself, since it knows what to do about it.

    Args:
        taker: a class or function.
        args: the arguments by place.
        kwargs: those by name. Where they do not fit the signature, Python says so when ``taker`` is called.

    Raises:
        TypeError: an argument is of another type.

    Examples:
        >>> from flowkit import ActNorm
        >>> require_types(ActNorm, (4.0,), {})
        Traceback (most recent call last):
        ...
        TypeError: ActNorm: channels is 4.0; it must be an integer
    """
    signature, annotations = _signature(taker)
    try:
        given = signature.bind_partial(*args, **kwargs).arguments
    except TypeError:
        return
    for name, value in given.items():
        expected = _mismatch(value, annotations.get(name, Any))
        # A default may be what its annotation is not: a sentinel.
        if expected and value is not signature.parameters[name].default:
            raise TypeError(f"{taker.__name__}: {name} is {named(value)}; it must be {expected}")


@cache
def _signature(taker: Callable[..., Any]) -> tuple[inspect.Signature, Mapping[str, Any]]:
    function = taker.__init__ if isinstance(taker, type) else taker  # type: ignore[misc]
    signature = inspect.signature(function)
    if isinstance(taker, type):
        signature = signature.replace(parameters=list(signature.parameters.values())[1:])
    return signature, typing.get_type_hints(inspect.unwrap(function))


def _mismatch(value: Any, annotation: Any) -> str:
    """What a value was to be, where it is not; empty where it fits, or where no such annotation is checked."""
    if typing.get_origin(annotation) in (typing.Union, UnionType):
        mismatches = [_mismatch(value, part) for part in typing.get_args(annotation)]
        return " or ".join(mismatches) if all(mismatches) else ""
    fits, expected = _KINDS.get(annotation) or _kind_of_class(annotation)
    return "" if fits(value) else expected


def _kind_of_class(annotation: Any) -> Kind:
    """Of functions, lists and flowkit's own classes, but for the abstract ones that layers ask for themselves."""
    origin = typing.get_origin(annotation) or annotation
    if origin is Callable:
        return callable, "a function"
    if origin in (Sequence, Iterable):
        return lambda value: isinstance(value, Iterable), "a list or tuple, such as [first, second]"
    own = isinstance(origin, type) and origin.__module__.startswith("flowkit.")
    if not own or (issubclass(origin, nn.Module) and inspect.isabstract(origin)):
        return lambda value: True, ""
    return lambda value: isinstance(value, origin), with_article(origin.__name__)


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_integers(value: Any) -> bool:
    return isinstance(value, Sequence) and all(map(_is_integer, value))


_KINDS: Mapping[Any, Kind] = {
    int: (_is_integer, "an integer"),
    float: (_is_number, "a number"),
    bool: (lambda value: isinstance(value, bool), "True or False"),
    str: (lambda value: isinstance(value, str), "a text"),
    type(None): (lambda value: value is None, "None"),
    Tensor: (lambda value: isinstance(value, Tensor), "a tensor, as torch.as_tensor makes one"),
    torch.Generator: (
        lambda value: isinstance(value, torch.Generator),
        "a generator, of a seed torch.Generator().manual_seed(seed)",
    ),
    nn.Module: (lambda value: isinstance(value, nn.Module), "a module"),
    Sequence[int]: (_is_integers, "a list or tuple of integers"),
}
