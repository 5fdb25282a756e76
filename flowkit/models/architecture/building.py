"""From data to a flow."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from flowkit.models.architecture.classes import class_named

__all__ = ["build"]


def build(description: Any, tensors: Mapping[str, Tensor]) -> nn.Module:
    """Make the model that a description tells of; only classes that files may name are called.

    Args:
        description: as :func:`describe` gives it, or JSON gives it back.
        tensors: those that it names.

    Returns:
        The model, freshly initialised.

    Raises:
        ValueError: the description is none, names a class or a tensor that is not there, or a constructor refuses its
            arguments.

    Examples:
        >>> build({"make": "flowkit.Reversal", "number": 0, "args": [2], "kwargs": {}}, {}).channels
        2
    """
    model = _Builder(tensors).of(description)
    if not isinstance(model, nn.Module):
        raise ValueError(f"the architecture describes a {type(model).__name__}, not a module")
    return model


class _Builder:
    """Builds one model, and keeps what was made by number, for what is shared."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors
        self._made: dict[Any, Any] = {}

    def of(self, data: Any) -> Any:
        match data:
            case None | bool() | int() | float() | str():
                return data
            case list():
                return [self.of(part) for part in data]
            case {"float": str(text)}:
                return float(text)
            case {"tuple": list(parts)}:
                return tuple(self.of(part) for part in parts)
            case {"dict": dict(parts)}:
                return {key: self.of(part) for key, part in parts.items()}
            case {"tensor": str(key), "parameter": bool(parameter)} if key in self._tensors:
                tensor = self._tensors[key].clone()
                return nn.Parameter(tensor) if parameter else tensor
            case {"class": str(name)}:
                return class_named(name)
            case {"same": int(number)} if number in self._made:
                return self._made[number]
            case {"make": str(name), "number": int(number), "args": list(args), "kwargs": dict(kwargs)}:
                self._made[number] = self._call(name, self.of(args), {k: self.of(v) for k, v in kwargs.items()})
                return self._made[number]
        raise ValueError(f"the architecture holds {str(data)[:80]!r}, which has no meaning here; get the file again")

    def _call(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        try:
            return class_named(name)(*args, **kwargs)
        except TypeError as error:
            raise ValueError(f"a {name} cannot be made: {error}") from error
