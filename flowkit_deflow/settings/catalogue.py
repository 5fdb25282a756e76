"""Every setting of a run: its name, meaning, default and sort, read from the schema."""

import inspect
import re
from collections.abc import Iterator, Sequence
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


def settings(schema: type = Run) -> list[Setting]:
    """All settings of a run, in the order of the schema.

    Args:
        schema: the class of its settings.

    Examples:
        >>> (steps,) = (setting for setting in settings() if setting.name == "training.steps")
        >>> steps.default, steps.sort.name
        (100000, 'RESULT')
    """
    return [setting for section in fields(schema) for setting in settings_of(section.name, schema)]


def settings_of(section: str, schema: type = Run) -> Iterator[Setting]:
    """The settings of one section, such as ``architecture``, ``data`` or ``training``; itself if it is no section.

    Examples:
        >>> [setting.name for setting in settings_of("data")][:2]
        ['data.clean', 'data.degraded']
    """
    inner = get_type_hints(schema)[section]
    if isinstance(inner, type) and is_dataclass(inner):
        yield from _settings_in(inner, f"{section}.", [item.name for item in fields(inner)])
    else:
        yield from _settings_in(schema, "", [section])


def _settings_in(schema: type, prefix: str, names: Sequence[str]) -> Iterator[Setting]:
    assert is_dataclass(schema)
    hints, meanings = get_type_hints(schema, include_extras=True), _meanings(schema)
    for item in fields(schema):
        if item.name in names:
            sorts = [note for note in get_args(hints[item.name]) if isinstance(note, Sort)]
            sort = sorts[0] if sorts else Sort.RESULT
            yield Setting(f"{prefix}{item.name}", meanings.get(item.name, ""), item.default, sort)


def _meanings(schema: type) -> dict[str, str]:
    """What the docstring's ``Attributes`` say, in one line each."""
    _, _, attributes = (inspect.getdoc(schema) or "").partition("\nAttributes:\n")
    block = re.split(r"\n\S", attributes, maxsplit=1)[0]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", block, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}
