"""The example of a plugin: a package that pip installs, that flowkit finds, and that keeps the contract."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "plugin_example"
ROOT = EXAMPLE.parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that pip has put the package into, from a copy of its sources."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*pip, "--target", folder, EXAMPLE], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def run(installed: Path, *arguments: str) -> str:
    """Run Python in a folder that has nothing of this repository, the package on its path; its output."""
    paths = [str(installed), str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=installed)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_flowkit_finds_it(installed: Path) -> None:
    code = """
import flowkit, torch
assert "sinh-arcsinh" in flowkit.plugins()
assert "sinh-arcsinh" in flowkit.list_models()
flow = flowkit.create_model("sinh-arcsinh", features=3, layers=2)
print(tuple(flow.sample(4).shape), tuple(flow.log_prob(torch.zeros(5, 3)).shape))
"""
    assert run(installed, "-c", code).strip() == "(4, 3) (5,)"


def test_it_is_stored_and_loaded_by_name(installed: Path, tmp_path: Path) -> None:
    code = f"""
import flowkit, torch
flow = flowkit.create_model("sinh-arcsinh", features=2, layers=2)
flowkit.save_model(flow, {str(tmp_path / "model")!r})
again = flowkit.load_model({str(tmp_path / "model")!r})
x = torch.randn(7, 2)
assert torch.equal(again.log_prob(x), flow.log_prob(x))
"""
    run(installed, "-c", code)


def test_its_own_tests_pass(installed: Path) -> None:
    """Every property of the contract, and the examples of its docstrings."""
    options = ["-q", "-p", "no:cacheprovider", "--doctest-modules", "--rootdir", str(EXAMPLE)]
    shown = run(installed, "-m", "pytest", *options, str(EXAMPLE))
    assert "passed" in shown
    assert "skipped" not in shown


def test_the_command_line_checks_it(installed: Path) -> None:
    target = "flowkit_sinh_arcsinh.plugin:PLUGIN.bijectors"
    shown = run(installed, "-m", "flowkit.testing", target, "--seeds", "1", "--only", "round_trip_of_data,pickle")
    assert "2 bijectors checked" in shown
    assert {"sinh-arcsinh", "sinh-arcsinh flow"} <= {line.split("  ")[0] for line in shown.splitlines()}
