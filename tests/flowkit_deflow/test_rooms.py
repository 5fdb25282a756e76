"""The order of flowkit_deflow's rooms: a module imports from its own room and from those before it."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import flowkit_deflow

PACKAGE = Path(flowkit_deflow.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# Every room, and every module that stands outside of them, from the lowest to the highest.
ORDER = (
    "errors",
    "files",
    "state_files",
    "model_folder",
    "settings",
    "images",
    "evaluation",
    "method",
    "plugin",
    "weights",
    "training",
    "degraders",
    "restoration",
    "app",
    "__init__",
    "__main__",
)


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(source: str) -> Iterator[str]:
    """Rooms of flowkit_deflow that a module's code imports from, at its top or inside a function."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "an import relative to the module hides the room that it leads to"
            # `from flowkit_deflow import X` takes X from the package itself, or is the room X.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            package, *rest = name.split(".")
            if package == "flowkit_deflow":
                yield rest[0] if rest and rest[0] in ORDER else "__init__"


def upward(room: str, source: str) -> list[str]:
    return [other for other in imported(source) if ORDER.index(other) > ORDER.index(room)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_lead_downwards(path: Path) -> None:
    assert room(path) in ORDER, f"{room(path)} has no place in the order of the rooms"
    assert upward(room(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "from flowkit_deflow.app.cli import main",
        "import flowkit_deflow.app.cli",
        "def f():\n    from flowkit_deflow.training import trainer",
        "from flowkit_deflow import DeFlow",
        "from flowkit_deflow import app",
    ],
)
def test_an_arrow_upwards_is_found(source: str) -> None:
    assert upward("method", source)


def test_some_arrows_are_seen() -> None:
    seen = {(room(path), other) for path in MODULES for other in imported(path.read_text(encoding="utf-8"))}
    assert {("method", "settings"), ("training", "method"), ("app", "training"), ("__main__", "app")} <= seen


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_bears_the_name_of_a_function_beside_it(path: Path) -> None:
    """A package's attribute would otherwise be the module or the function, depending on what was imported last."""
    if path.name in ("__init__.py", "__main__.py"):
        return
    package = importlib.import_module(".".join(("flowkit_deflow", *path.parent.relative_to(PACKAGE).parts)))
    beside = getattr(package, path.stem, None)
    assert beside is None or inspect.ismodule(beside), f"{package.__name__}.{path.stem} is no module"


def test_the_application_package_exports_no_module() -> None:
    exported = (getattr(flowkit_deflow, name) for name in flowkit_deflow.__all__)
    assert not any(inspect.ismodule(value) for value in exported)
