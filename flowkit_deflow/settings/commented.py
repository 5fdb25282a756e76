"""A run's settings as YAML in which comments say what each of them is."""

import math
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import yaml

from flowkit_deflow.settings.catalogue import Setting, settings_of
from flowkit_deflow.settings.sorts import Sort
from flowkit_deflow.settings.text import to_dict

__all__ = ["commented_yaml"]

WIDTH = 110  # characters of a line


def commented_yaml(run: Any, command: str = "deflow train") -> str:
    """Every setting of a run with its meaning, unit, default and sort, as YAML that the command's ``--config`` reads.

    Args:
        run: the settings: :class:`~flowkit_deflow.Run`, or those of another degrader or of a restoration network.
        command: what reads them.

    Returns:
        The text; read again, it gives the same settings.

    Examples:
        >>> from flowkit_deflow.settings.schema import Run
        >>> print(commented_yaml(Run()).partition("  # side of")[2])  # doctest: +ELLIPSIS
         the square training crops (pixels). [result; default: 160]
          crop: 160
        ...
    """
    return "\n".join(_lines(run, command)) + "\n"


def _lines(run: Any, command: str) -> Iterator[str]:
    yield f"# Settings for {command} --config. What is left out keeps its default."
    for sort in Sort:
        yield f"# [{sort.name.lower()}] {sort.value}."
    values = to_dict(run)
    for section in fields(run):
        yield ""
        if is_dataclass(getattr(run, section.name)):
            yield f"{section.name}:"
            yield from _entries(settings_of(section.name, type(run)), values[section.name], "  ")
        else:
            yield from _entries(settings_of(section.name, type(run)), values, "")


def _entries(settings: Iterable[Setting], values: dict[str, Any], indent: str) -> Iterator[str]:
    comment = f"{indent}# "
    for setting in settings:
        name = setting.name.split(".")[-1]
        yield from textwrap.wrap(_description(setting), WIDTH, initial_indent=comment, subsequent_indent=comment)
        yield f"{indent}{_entry(name, values[name])}"


def _description(setting: Setting) -> str:
    """Meaning, sort and default, with YAML's word for ``None`` and without the marks of code."""
    meaning = setting.meaning.replace("``None``", "null").replace("``", "")
    default = list(setting.default) if isinstance(setting.default, tuple) else setting.default
    return f"{meaning} [{setting.sort.name.lower()}; {_entry('default', default)}]".strip()


def _entry(name: str, value: Any) -> str:
    """A name and its value in one line."""
    # Within braces, YAML keeps lists and mappings in one line, and adds no mark for the end of a document.
    return yaml.safe_dump({name: value}, default_flow_style=True, width=math.inf).strip()[1:-1]
