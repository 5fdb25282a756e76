"""What the package promises as a whole: its dependencies, its public names, its price to import."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import flowkit

FOLDER = Path(flowkit.__file__).parent
FILES = sorted(FOLDER.rglob("*.py"))
ALLOWED = {"flowkit", "torch", "numpy", "einops"} | sys.stdlib_module_names
# What comes with an extra, and the files that import it.
EXTRAS = {
    "bijectors/ode_solvers.py": {"torchdiffeq"},
    "interop/nflows.py": {"nflows"},
    "interop/nflows_layout.py": {"nflows"},
    "interop/pyro.py": {"pyro"},
    "losses/transport.py": {"scipy"},
    "models/storage.py": {"safetensors"},
    "testing/pytest.py": {"pytest"},
    "testing/strategies.py": {"hypothesis"},
}


def identity(path: Path) -> str:
    return path.relative_to(FOLDER).as_posix()


def module_name(path: Path) -> str:
    parts = path.relative_to(FOLDER).with_suffix("").parts
    return ".".join(["flowkit", *parts]).removesuffix(".__init__")


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "flowkit" if node.level else str(node.module)


def test_the_files_are_found() -> None:
    assert len(FILES) > 20


@pytest.mark.parametrize("path", FILES, ids=identity)
def test_only_the_stated_dependencies_are_imported(path: Path) -> None:
    packages = {name.split(".")[0] for name in imported(ast.parse(path.read_text()))}
    assert packages <= ALLOWED | EXTRAS.get(identity(path), set())
    assert "flowkit_deflow" not in packages


@pytest.mark.parametrize("path", FILES, ids=identity)
def test_public_names_are_stated_and_exist(path: Path) -> None:
    module = importlib.import_module(module_name(path))
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
    definitions = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    assert {node.name for node in definitions if not node.name.startswith("_")} <= set(module.__all__)


def test_everything_public_has_a_docstring() -> None:
    assert [name for name in flowkit.__all__ if not getattr(flowkit, name).__doc__] == []


def test_the_package_is_typed() -> None:
    assert (FOLDER / "py.typed").is_file()


def test_importing_costs_little_beyond_torch() -> None:
    script = (
        # A part of torch that brings sympy with it in torch 2.6.
        "import time; start = time.perf_counter(); import torch.utils.checkpoint, numpy, einops\n"
        "others = time.perf_counter() - start\n"
        # Whether a collection falls into the import is chance, and what it goes over are torch's objects.
        "import gc; gc.collect(); gc.freeze()\n"
        "start = time.perf_counter(); import flowkit; print((time.perf_counter() - start) / others)\n"
    )
    # A busy machine can only make it slower: the best of a few tries is what the package itself costs.
    for _ in range(5):
        run = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=FOLDER.parent
        )
        if (share := float(run.stdout)) < 0.2:
            break
    assert share < 0.2
