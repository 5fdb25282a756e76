"""The two distributions as they are built: what a user's pip would install."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    for project in (ROOT, ROOT / "flowkit_deflow"):
        subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, project],
            check=True,
            capture_output=True,
        )
    return out


def _wheel(built: Path, name: str) -> zipfile.ZipFile:
    (path,) = built.glob(f"{name}-*.whl")
    return zipfile.ZipFile(path)


def _metadata(wheel: zipfile.ZipFile) -> str:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return wheel.read(name).decode()


def test_the_core_wheel_holds_flowkit_alone(built: Path) -> None:
    names = _wheel(built, "flowkit_core").namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"flowkit"}
    assert "flowkit/py.typed" in names
    assert "flowkit/bijectors/multiscale.py" in names


def test_the_core_needs_torch_numpy_and_einops_alone(built: Path) -> None:
    required = [
        line.split()[1]
        for line in _metadata(_wheel(built, "flowkit_core")).splitlines()
        if "Requires-Dist" in line and "extra ==" not in line
    ]
    assert {name.split(">")[0] for name in required} == {"torch", "numpy", "einops"}


def test_the_deflow_wheel_holds_its_package_and_needs_the_core_of_its_version(built: Path) -> None:
    wheel = _wheel(built, "flowkit_deflow")
    names = wheel.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"flowkit_deflow"}
    assert {"flowkit_deflow/py.typed", "flowkit_deflow/app/cli.py"} <= set(names)
    assert {
        f"flowkit_deflow/evaluation/preference/assets/{name}" for name in ("index.html", "page.css", "page.js")
    } <= set(names)
    assert not any(name.endswith("pyproject.toml") for name in names)
    metadata = _metadata(wheel)
    (version,) = (line.split()[1] for line in metadata.splitlines() if line.startswith("Version:"))
    assert f"Requires-Dist: flowkit-core=={version}" in metadata


def test_the_deflow_wheel_declares_the_command_and_the_plugin(built: Path) -> None:
    wheel = _wheel(built, "flowkit_deflow")
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    text = wheel.read(name).decode()
    assert "deflow = flowkit_deflow.app.cli:main" in text
    assert "[flowkit.plugins]" in text


@pytest.mark.parametrize("name", ["flowkit_core", "flowkit_deflow"])
def test_sdists_hold_the_licence_and_the_readme(built: Path, name: str) -> None:
    (path,) = built.glob(f"{name}-*.tar.gz")
    with tarfile.open(path) as archive:
        inside = {member.name.partition("/")[2] for member in archive}
    assert {"LICENSE", "README.md", "pyproject.toml"} <= inside
