"""The two packages meet at flowkit's public names alone."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import flowkit
import flowkit_deflow

# What is public of flowkit: its own names, and those of the rooms and of the part that checks bijectors.
ROOMS = ("bijectors", "distributions", "models", "nn", "ops", "testing", "transforms")
PUBLIC = {"flowkit": flowkit.__all__} | {
    f"flowkit.{room}": importlib.import_module(f"flowkit.{room}").__all__ for room in ROOMS
}
FLOWKIT = sorted(Path(flowkit.__file__).parent.rglob("*.py"))
APPLICATION = sorted(Path(flowkit_deflow.__file__).parent.rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, str | None]]:
    """Modules that a file imports, with the name that it takes from each (``None`` for the module itself)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (("." * node.level + (node.module or ""), alias.name) for alias in node.names)


def of_package(path: Path, package: str) -> list[tuple[str, str | None]]:
    return [(module, name) for module, name in imports(path) if module.split(".")[0] == package]


@pytest.mark.parametrize("path", APPLICATION, ids=lambda path: path.name)
def test_the_application_uses_public_names_alone(path: Path) -> None:
    for module, name in of_package(path, "flowkit"):
        assert module in PUBLIC, f"{path.name} imports {module}"
        assert name in PUBLIC[module], f"{path.name} imports {name}"


@pytest.mark.parametrize("path", FLOWKIT, ids=lambda path: path.name)
def test_flowkit_knows_nothing_of_the_application(path: Path) -> None:
    assert of_package(path, "flowkit_deflow") == []
    # Nor does any name that is built at run time lead there.
    code = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.id for node in ast.walk(code) if isinstance(node, ast.Name)}
    assert not names & {"__import__", "import_module"}


def test_importing_flowkit_imports_nothing_of_the_application() -> None:
    code = "import sys, flowkit; sys.exit(any(name.startswith('flowkit_deflow') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("package", [flowkit, flowkit_deflow])
def test_what_is_announced_is_there(package: object) -> None:
    announced: list[str] = package.__all__  # type: ignore[attr-defined]
    assert announced == sorted(set(announced), key=announced.index)
    assert all(hasattr(package, name) for name in announced)


def packages() -> Iterator[ModuleType]:
    for package in (flowkit, flowkit_deflow):
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.ispkg:
                yield importlib.import_module(found.name)


@pytest.mark.parametrize("package", list(packages()), ids=lambda package: package.__name__)
def test_no_package_exports_a_name_that_a_module_beside_it_has(package: ModuleType) -> None:
    # The name would stand for the one or the other, as what was imported first.
    exported = getattr(package, "__all__", ())
    assert not set(exported) & {module.name for module in pkgutil.iter_modules(package.__path__)}


def test_both_are_of_one_version() -> None:
    assert flowkit.__version__ == flowkit_deflow.__version__
