"""Packages with entry points, as far as the registry sees them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["Install", "installing"]

# Adds a package: its name, its module's source, its entry points for flowkit.
Install = Callable[[str, str, str], None]


@contextmanager
def installing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Packages of a folder that is the only one on the path, so that what is installed here does not matter."""
    monkeypatch.setattr(sys, "path", [str(folder)])
    names = []

    def add(name: str, module: str, entry_points: str) -> None:
        (folder / f"{name}.py").write_text(module)
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[flowkit.plugins]\n{entry_points}\n")
        names.append(name)

    yield add
    for name in names:
        sys.modules.pop(name, None)
