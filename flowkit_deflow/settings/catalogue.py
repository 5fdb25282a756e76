"""Every setting of a run: its name, meaning, default and sort, read from the schema."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple, get_args, get_type_hints

from flowkit_deflow.settings.schema import Run
from flowkit_deflow.settings.sorts import Sort

__all__ = ["Setting", "settings", "settings_of"]


class Setting(NamedTuple):
    """One setting.

    Attributes:
        name: its path in a file of settings, like ``training.steps``.
        meaning: what it is, with its unit; empty where Python strips docstrings (``-OO``).
        default: its value where a file leaves it out.
        sort: what it decides.
    """

    name: str
    meaning: str
    default: Any
    sort: Sort


def settings() -> list[Setting]:
    """All settings of a run, in the order of the schema.

    Examples:
        >>> (steps,) = (setting for setting in settings() if setting.name == "training.steps")
        >>> steps.default, steps.sort.name
        (100000, 'RESULT')
    """
    return [setting for section in fields(Run) for setting in settings_of(section.name)]


def settings_of(section: str) -> Iterator[Setting]:
    """The settings of one section: ``architecture``, ``data`` or ``training``.

    Examples:
        >>> [setting.name for setting in settings_of("data")][:2]
        ['data.clean', 'data.degraded']
    """
    schema = get_type_hints(Run)[section]
    assert isinstance(schema, type)
    assert is_dataclass(schema)
    hints = get_type_hints(schema, include_extras=True)
    meanings = _meanings(schema)
    for item in fields(schema):
        sorts = [note for note in get_args(hints[item.name]) if isinstance(note, Sort)]
        yield Setting(
            f"{section}.{item.name}", meanings.get(item.name, ""), item.default, sorts[0] if sorts else Sort.RESULT
        )


def _meanings(schema: type) -> dict[str, str]:
    """What the docstring's ``Attributes`` say, in one line each."""
    _, _, attributes = (inspect.getdoc(schema) or "").partition("\nAttributes:\n")
    block = re.split(r"\n\S", attributes, maxsplit=1)[0]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", block, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}
