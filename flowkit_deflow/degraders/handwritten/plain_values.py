"""Operations as plain values that JSON can hold, and back."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from flowkit_deflow.degraders.handwritten.blur import GaussianBlur, PlateauBlur, SincFilter
from flowkit_deflow.degraders.handwritten.combining import InOrder, OneOf, Shuffled, Sometimes
from flowkit_deflow.degraders.handwritten.jpeg import Jpeg
from flowkit_deflow.degraders.handwritten.noise import CorrelatedNoise, GaussianNoise, PoissonNoise
from flowkit_deflow.degraders.handwritten.operation import Operation
from flowkit_deflow.degraders.handwritten.resizing import RandomResize, ToSize
from flowkit_deflow.degraders.handwritten.sharpening import UnsharpMask

__all__ = ["OPERATIONS", "from_plain", "to_plain"]

OPERATIONS: dict[str, type[Any]] = {
    "gaussian-blur": GaussianBlur,
    "plateau-blur": PlateauBlur,
    "sinc-filter": SincFilter,
    "random-resize": RandomResize,
    "to-size": ToSize,
    "gaussian-noise": GaussianNoise,
    "correlated-noise": CorrelatedNoise,
    "poisson-noise": PoissonNoise,
    "jpeg": Jpeg,
    "unsharp-mask": UnsharpMask,
    "in-order": InOrder,
    "shuffled": Shuffled,
    "one-of": OneOf,
    "sometimes": Sometimes,
}
_NAMES = {operation: name for name, operation in OPERATIONS.items()}


def to_plain(value: Any) -> Any:
    """An operation as nested dicts, lists and numbers.

    Examples:
        >>> to_plain(Sometimes(Jpeg((30, 95)), 0.5))
        {'operation': 'sometimes', 'of': {'operation': {'operation': 'jpeg', 'of': {'quality': [30, 95]}}, ...}}
    """
    if type(value) in _NAMES:
        own = {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
        return {"operation": _NAMES[type(value)], "of": own}
    return [to_plain(part) for part in value] if isinstance(value, tuple) else value


def from_plain(value: Any) -> Operation:
    """What :func:`to_plain` made plain.

    Raises:
        ValueError: an operation is unknown, or its constants do not fit.
    """
    made = _made(value)
    if not isinstance(made, Operation):
        raise ValueError(f"{value!r} is no operation; expected {{'operation': NAME, 'of': CONSTANTS}}")
    return made


def _made(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_made(part) for part in value)
    if not isinstance(value, Mapping):
        return value
    match value:
        case {"operation": str(name), "of": {**constants}}:
            pass
        case _:
            raise ValueError(f"{value!r} is no operation; expected {{'operation': NAME, 'of': CONSTANTS}}")
    if name not in OPERATIONS:
        raise ValueError(f"operation {name!r} is unknown; there are: {', '.join(OPERATIONS)}")
    try:
        return OPERATIONS[name](**{str(key): _made(part) for key, part in constants.items()})
    except TypeError as error:
        raise ValueError(f"operation {name!r}: {error}") from None
