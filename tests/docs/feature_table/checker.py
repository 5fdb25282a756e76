"""Whether what backs a cell of the feature table does: code is run, files are read."""

import re
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch

from tests.docs.feature_table.cells import Absent, Blank, Cell, Code, Fails, File
from tests.docs.feature_table.libraries import PACKAGES, SETUP

__all__ = ["why_not"]

DEFINITION = re.compile(r"^\s*(?:class|def)\s+(\w+)", re.MULTILINE)


def why_not(library: str, cell: Cell, sources: Path) -> str | None:
    """What is wrong with a cell.

    Args:
        library: whose cell it is.
        cell: the cell.
        sources: the folder that the library's packages lie in.

    Returns:
        A sentence; ``None`` where nothing is wrong.
    """
    match cell:
        case Code(code, _, since) if since and torch.__version__ < since:
            return f"this runs before torch {since}:\n{code}" if _failure(library, code) is None else None
        case Code(code):
            return _failure(library, code)
        case Fails(code, message):
            failure = _failure(library, code)
            if failure is None:
                return f"this runs:\n{code}"
            return None if re.search(message, failure) else f"no failure by {message!r}: {failure}"
        case File(path, text):
            file = sources / path
            if not file.is_file():
                return f"there is no file {path}"
            return None if text in file.read_text(encoding="utf-8") else f"{path} does not contain {text!r}"
        case Absent(name, under):
            found = [(path, one) for path, one in _definitions(library, sources) if re.search(name, one, re.IGNORECASE)]
            found = [(path, one) for path, one in found if f"/{under}/" in f"/{path}" or not under]
            return f"{name!r} is there: {found[:5]}" if found else None
        case Blank():
            return None


def _failure(library: str, code: str) -> str | None:
    names: dict[str, Any] = {}
    exec(_compiled(library), names)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(code, f"feature table, {library}", "exec"), names)
    except Exception as error:  # what a cell's code raises is what is asked for
        return f"{type(error).__name__}: {error}"
    return None


@cache
def _compiled(library: str) -> Any:
    return compile(SETUP[library], f"feature table, names of {library}", "exec")


@cache
def _definitions(library: str, sources: Path) -> tuple[tuple[str, str], ...]:
    """Each file of a library, tests left out, and each class or function that it defines."""
    return tuple(_defined(sources, library))


def _defined(sources: Path, library: str) -> Iterator[tuple[str, str]]:
    for package in PACKAGES[library]:
        for file in sorted((sources / package).rglob("*.py")):
            if "test" not in file.stem:
                path = file.relative_to(sources).as_posix()
                yield from ((path, name) for name in DEFINITION.findall(file.read_text(encoding="utf-8")))
