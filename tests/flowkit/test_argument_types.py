"""Arguments of another type than the annotation says: each layer and model names the one that is wrong."""

import typing
from collections.abc import Callable
from inspect import isabstract
from types import UnionType
from typing import Any

import numpy as np
import pytest
from torch import nn

import flowkit
from flowkit.argument_types import require_types
from flowkit.models.registry import BUILT_IN
from flowkit.recorded import Recorded

ROOMS = (flowkit.bijectors, flowkit.transforms, flowkit.distributions, flowkit.nn, flowkit.surjections)
CHECKED = (int, float, bool, nn.Module)


def layers() -> list[type]:
    public = [getattr(room, name) for room in ROOMS for name in room.__all__]
    classes = [value for value in public if isinstance(value, type) and not isabstract(value)]
    return [value for value in classes if issubclass(value, Recorded)]


def checked_arguments(taker: Callable[..., Any]) -> list[str]:
    maker: Any = taker.__init__ if isinstance(taker, type) else taker  # type: ignore[misc]
    if not str(getattr(maker, "__module__", "")).startswith("flowkit."):
        return []  # that of object or nn.Module, for which torch.compile puts one of its own
    hints = typing.get_type_hints(maker)
    hints.pop("return", None)
    return [name for name, hint in hints.items() if all(part in (*CHECKED, type(None)) for part in parts_of(hint))]


def parts_of(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if isinstance(hint, UnionType) else (hint,)


@pytest.mark.parametrize("taker", [*layers(), *BUILT_IN.values()], ids=lambda taker: str(taker.__name__))
def test_a_text_where_none_is_taken_is_named(taker: Callable[..., Any]) -> None:
    for argument in checked_arguments(taker):
        with pytest.raises(TypeError, match=rf"{taker.__name__}: {argument} is 'text'; it must be "):
            taker(**{argument: "text"})


def test_the_table_is_not_empty() -> None:
    assert sum(len(checked_arguments(taker)) for taker in layers()) > 150
    assert checked_arguments(flowkit.nsf) >= ["features", "layers"]


@pytest.mark.parametrize("wrong", [2.0, "2", True, None, [2], np.zeros(2)])
def test_an_integer_is_an_integer(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"channels is .*; it must be an integer"):
        flowkit.ActNorm(wrong)


@pytest.mark.parametrize("wrong", ["2", True, None, [2.0]])
def test_a_number_is_a_number(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"exponent is .*; it must be a number"):
        flowkit.Power(wrong)


def test_integers_of_numpy_are_integers() -> None:
    assert flowkit.ActNorm(np.int64(3)).channels == 3
    assert flowkit.nsf(np.int64(2), bins=np.int64(4)).recipe.settings == {"features": 2, "bins": 4}  # type: ignore[arg-type]


def test_a_class_of_ones_own_is_taken_as_it_is() -> None:
    class Own(flowkit.Reversal):
        def __init__(self, channels: int) -> None:
            super().__init__(int(channels))

    assert Own("3").channels == 3  # type: ignore[arg-type]


def test_what_does_not_fit_the_signature_is_left_to_python() -> None:
    require_types(flowkit.ActNorm, (1, 2, 3, 4), {})
    with pytest.raises(TypeError, match="positional argument"):
        flowkit.ActNorm(1, 2, 3, 4)  # type: ignore[call-arg]
