"""A file of settings that a user names: of which kind of run it is, and whether that is the one asked for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from flowkit_deflow.errors import UserError
from flowkit_deflow.settings.catalogue import settings
from flowkit_deflow.settings.restoration import RestorerRun
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.settings.text import from_dict, read_yaml

__all__ = ["read_config"]

T = TypeVar("T")


class _Kind(NamedTuple):
    """A kind of run, for messages."""

    name: str
    file: str
    command: str


DEFLOW = _Kind("DeFlow", "run.yaml", "deflow train")
RESTORER = _Kind("a restorer", "restorer.yaml", "deflow restorer train")


def read_config(cls: type[T], path: Path) -> T:
    """A YAML file of settings of some class, as ``--config`` names it; what it leaves out keeps its default.

    Raises:
        UserError: the file is missing, is no YAML, holds settings of another kind of run, or a setting is unknown or
            does not fit.

    Examples:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "restorer.yaml"
        >>> _ = file.write_text("losses: {features: 1.0}")
        >>> read_config(RestorerRun, file).losses.features
        1.0
    """
    values = read_yaml(path)
    wanted, found = _kind_of_class(cls), _kind_of_values(values)
    if found not in (wanted, None):
        raise UserError(
            f"{path}: holds the settings of {found.name}, expected those of {wanted.name}; give the {wanted.file} of a "
            f"run of {wanted.command}"
        )
    return from_dict(cls, values, str(path))


def _kind_of_class(cls: Any) -> _Kind:
    if cls is Run:
        return DEFLOW
    return RESTORER if cls is RestorerRun else _degrader(cls.degrader)


def _kind_of_values(values: Mapping[str, Any]) -> _Kind | None:
    """The one kind that has all of these settings; ``None`` if there is no such kind, or several."""
    if "degrader" in values:
        return _degrader(values["degrader"])
    given = {f"{section}.{name}" for section, part in values.items() if isinstance(part, dict) for name in part}
    kinds = {DEFLOW: Run, RESTORER: RestorerRun}
    fitting = [kind for kind, cls in kinds.items() if given <= {setting.name for setting in settings(cls)}]
    return fitting[0] if len(fitting) == 1 else None


def _degrader(name: Any) -> _Kind:
    return _Kind(f"the degrader {name!r}", "degrader.yaml", f"deflow train --degrader {name}")
