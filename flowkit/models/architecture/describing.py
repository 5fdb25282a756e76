"""From a flow to data."""

import inspect
import math
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.models.architecture.classes import name_of
from flowkit.recorded import Arguments, Unstorable, arguments_of

__all__ = ["describe"]

PLAIN = (bool, int, str, type(None))


def describe(model: nn.Module) -> tuple[Any, dict[str, Tensor]]:
    """What a model is made of, as JSON can hold it, and the tensors among its constructors' arguments.

    Args:
        model: a flow or a part of one: flowkit's classes, torch's networks, and what is declared by
            :func:`~flowkit.models.storable`.

    Returns:
        The description, from which :func:`build` makes a model of the same architecture, and the tensors that it
        names. What two parts share, they share there too.

    Raises:
        ValueError: a part is of a class that no file may name, or was made with something that no file can hold, or is
            not the one that the part around it was made with.

    Examples:
        >>> from flowkit import Reversal
        >>> describe(Reversal(2))[0]
        {'make': 'flowkit.Reversal', 'number': 0, 'args': [2], 'kwargs': {}}
    """
    describer = _Describer()
    return describer.of(model, "the model"), describer.tensors


class _Describer:
    """Describes one model: it numbers the objects that it meets and collects the tensors."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        # The objects are kept, so that no other one gets the identity of one that is gone.
        self._met: dict[int, tuple[int, Any]] = {}

    def of(self, value: Any, where: str) -> Any:
        if type(value) in PLAIN or (type(value) is float and math.isfinite(value)):
            return value
        if type(value) is float:
            return {"float": repr(value)}
        if type(value) is list:
            return [self.of(part, where) for part in value]
        if type(value) in (tuple, torch.Size):
            return {"tuple": [self.of(part, where) for part in value]}
        if type(value) is dict and all(isinstance(key, str) for key in value):
            return {"dict": {key: self.of(part, where) for key, part in value.items()}}
        if isinstance(value, Tensor):
            key = str(len(self.tensors))
            self.tensors[key] = value
            return {"tensor": key, "parameter": isinstance(value, nn.Parameter)}
        if isinstance(value, type):
            return {"class": _require_name(value, where)}
        return self._object(value, where)

    def _object(self, value: Any, where: str) -> Any:
        if id(value) in self._met:
            return {"same": self._met[id(value)][0]}
        if isinstance(value, Unstorable):
            raise ValueError(
                f"{where} was made with a {value.what}, which no file can hold: register a function that makes the "
                "whole model, by flowkit.models.register_model"
            )
        name = _require_name(type(value), where)
        arguments = arguments_of(value) or _torch_arguments(value)
        number = len(self._met)
        self._met[id(value)] = (number, value)
        if isinstance(value, nn.Module):
            _require_present(value, arguments)
        inside = type(value).__name__
        return {
            "make": name,
            "number": number,
            "args": [self.of(part, inside) for part in arguments.positional],
            "kwargs": {key: self.of(part, inside) for key, part in arguments.named.items()},
        }


def _require_name(cls: type, where: str) -> str:
    name = name_of(cls)
    if name is None:
        raise ValueError(
            f"{where} holds a {cls.__name__}, which no file may name: declare the class by @flowkit.models.storable, "
            "or register a function that makes the whole model, by flowkit.models.register_model"
        )
    return name


def _torch_arguments(module: Any) -> Arguments:
    """What a network of torch's was made with, read from its attributes, which have the arguments' names."""
    if isinstance(module, nn.Sequential | nn.ModuleList):
        parts = tuple(module)
        if any(not name.isdigit() for name, _ in module.named_children()):
            raise ValueError(
                "a Sequential whose parts have names cannot be stored: give them without names, "
                "or register a function that makes the whole model, by flowkit.models.register_model"
            )
        return Arguments(parts if isinstance(module, nn.Sequential) else (list(parts),), {})
    named = {}
    for name, parameter in inspect.signature(type(module)).parameters.items():
        # An activation without settings takes, and ignores, anything.
        variadic = parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        if variadic or name in ("device", "dtype"):
            continue
        if not hasattr(module, name):
            if parameter.default is inspect.Parameter.empty:
                raise ValueError(
                    f"a {type(module).__name__} does not tell the {name} that it was made with: register a function "
                    "that makes the whole model, by flowkit.models.register_model"
                )
            continue
        value = getattr(module, name)
        # The bias of a layer is asked for by a boolean.
        named[name] = value is not None if name == "bias" else value
    return Arguments((), named)


def _require_present(module: nn.Module, arguments: Arguments) -> None:
    """Refuse a module that no longer holds what it was made with."""
    present = {id(part) for part in module.modules()}
    for part in _modules_in([*arguments.positional, *arguments.named.values()]):
        if id(part) not in present:
            raise ValueError(
                f"a {type(module).__name__} was made with a {type(part).__name__} that it no longer holds: make it "
                "anew of its present parts, then store it"
            )


def _modules_in(value: Any) -> list[nn.Module]:
    if isinstance(value, nn.Module):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [module for part in value for module in _modules_in(part)] if isinstance(value, list | tuple) else []
