"""Settings as text: plain values and YAML in and out, and changes written as ``name=value``."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from flowkit_deflow.errors import UserError
from flowkit_deflow.settings.schema import Run

__all__ = ["assignments", "from_dict", "override", "read_run", "read_settings", "read_yaml", "to_dict", "to_yaml"]

T = TypeVar("T")


def to_dict(settings: Any) -> dict[str, Any]:
    """Settings as plain dicts, lists, strings and numbers.

    Examples:
        >>> from flowkit_deflow.settings.schema import Data
        >>> to_dict(Data())["clean_downsample"]
        [1]
    """

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(part) for key, part in value.items()}
        return [plain(part) for part in value] if isinstance(value, (list, tuple)) else value

    return plain(asdict(settings))


def from_dict(cls: type[T], values: Mapping[str, Any], source: str) -> T:
    """Check plain values and make settings of them.

    Args:
        cls: :class:`Run` or one of its parts.
        values: nested dicts, as read from YAML or JSON; what is left out keeps its default.
        source: where they come from, for messages.

    Returns:
        The settings.

    Raises:
        UserError: an unknown setting (the nearest name is proposed), or a value of the wrong type or range.

    Examples:
        >>> from flowkit_deflow.settings.schema import Data
        >>> from_dict(Data, {"crop": 64}, "run.yaml").crop
        64
        >>> from_dict(Data, {"corp": 64}, "run.yaml")
        Traceback (most recent call last):
        ...
        flowkit_deflow.errors.UserError: run.yaml: unknown setting 'corp'; did you mean 'crop'?
    """
    return _checked(cls, values, lambda _: source)


def _checked(cls: type[T], values: Mapping[str, Any], source_of: Callable[[Sequence[str]], str]) -> T:
    """As :func:`from_dict`, where what is named as the source depends on the setting that is at fault."""
    try:
        return TypeAdapter(cls).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        path = [str(part) for part in first["loc"]]
        source = source_of(path)
        if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            raise UserError(f"{source}: unknown setting {'.'.join(path)!r}; {_nearest(cls, path)}") from None
        problem = first["msg"].removeprefix("Value error, ")
        # Of a setting of several types, pydantic names the type that it tried first.
        if ".".join(path[:-1]) in _names(cls) and not path[-1].isdigit():
            path.pop()
        where = f"setting {'.'.join(path)!r}: " if path else ""
        given = f" (got {first['input']!r})" if first["type"] != "value_error" else ""
        raise UserError(f"{source}: {where}{problem}{given}; correct it and try again") from None


def _nearest(cls: type, path: Sequence[str]) -> str:
    names = _names(cls)
    last = get_close_matches(path[-1], [name.split(".")[-1] for name in names], 1)
    near = get_close_matches(".".join(path), names, 1) or [name for name in names if name.split(".")[-1] in last]
    return f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are: {', '.join(names)}"


def _names(cls: type, prefix: str = "") -> list[str]:
    names = []
    hints = get_type_hints(cls)
    for item in fields(cls):
        inner = next((t for t in (hints[item.name], *get_args(hints[item.name])) if is_dataclass(t)), None)
        name = prefix + item.name
        names.extend(_names(inner, f"{name}.") if isinstance(inner, type) else [name])
    return names


def override(settings: T, assignments: Sequence[str]) -> T:
    """Change settings by ``section.name=value``, or ``name=value`` where the name is unique.

    Args:
        settings: the settings to start from: a :class:`Run`, or those of another kind of run.
        assignments: the changes; values are read as YAML (``[0.5, 0.75]``, ``null``, ``1e-4``).

    Returns:
        The changed settings, of the same class.

    Raises:
        UserError: no ``=``, an unknown name (the nearest one is proposed), or a value that does not fit.

    Examples:
        >>> override(Run(), ["training.steps=500", "crop=64"]).data.crop
        64
    """
    values = to_dict(settings)
    names = _names(type(settings))
    made: list[tuple[str, str]] = []
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        matches = [known for known in names if known == name or known.split(".")[-1] == name]
        if not equals:
            raise UserError(f"--set {assignment!r} has no value; write it as name=value, like training.steps=1000")
        if len(matches) != 1:
            section = name.split(".")
            if len(section) > 1 or not matches:
                raise UserError(f"--set {assignment!r}: unknown setting {name!r}; {_nearest(type(settings), section)}")
            raise UserError(
                f"--set {assignment!r}: {name!r} stands for several settings: {', '.join(matches)}; name one"
            )
        *sections, last = matches[0].split(".")
        target = values
        for part in sections:
            if target[part] is None:
                raise UserError(f"--set {assignment!r}: {part!r} is not set; give all of it in a file with --config")
            target = target[part]
        target[last] = _value(text)
        made.append((matches[0], assignment))

    def concerned(path: Sequence[str]) -> str:
        # Of a setting, what set it; of settings that do not fit together, all that were set in their section.
        own = [text for name, text in made if all(a == b for a, b in zip(name.split("."), path, strict=False))]
        return f"--set {' '.join(own or [text for _, text in made])}" if made else "settings"

    return _checked(type(settings), values, concerned)


def assignments(values: Mapping[str, object]) -> list[str]:
    """Changes for :func:`override`, of the values that are not ``None``.

    Examples:
        >>> assignments({"data.clean": Path("2021"), "training.steps": 500, "training.seed": None})
        ['data.clean="2021"', 'training.steps=500']
    """
    given = {name: value for name, value in values.items() if value is not None}
    return [f"{name}={_quoted(value)}" for name, value in given.items()]


def _quoted(value: object) -> str:
    """A value as JSON, which is YAML: in quotes, a folder's name is not taken for a number or a date."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    # YAML takes the bytes of a name that are no text as escapes alone.
    return text.encode(errors="backslashreplace").decode()


def _value(text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    # A text that only looks like a date is a ValueError.
    except (yaml.YAMLError, ValueError):
        return text
    # YAML takes 1e-4 for a string, since it wants a dot; what is in quotes is meant as a string.
    if isinstance(value, str) and text.lstrip()[:1] not in ("'", '"'):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file's mapping.

    Raises:
        UserError: the file is missing, is no YAML, or holds something else than settings.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give a YAML file of settings") from None
    # A number that only looks like a date is a ValueError, as is text in another encoding.
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"{path}: is not valid YAML ({' '.join(str(error).split())}); correct it") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: holds no settings; expected sections like 'training:' with names and values")
    return values


def read_run(path: Path) -> Run:
    """A YAML file of a run's settings; what it leaves out keeps its default.

    Raises:
        UserError: the file is missing, is no YAML, or a setting is unknown or does not fit.
    """
    return read_settings(Run, path)


def read_settings(cls: type[T], path: Path) -> T:
    """A YAML file of settings of some class; what it leaves out keeps its default.

    Raises:
        UserError: the file is missing, is no YAML, or a setting is unknown or does not fit.
    """
    return from_dict(cls, read_yaml(path), str(path))


def to_yaml(settings: Any) -> str:
    """Settings as YAML text.

    Examples:
        >>> from flowkit_deflow.settings.schema import Data
        >>> "crop: 64" in to_yaml(Data(crop=64)).splitlines()
        True
    """
    return yaml.safe_dump(to_dict(settings), sort_keys=False)
