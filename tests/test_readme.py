"""What the README says, held against what there is."""

import re
import sys
import warnings
from pathlib import Path
from types import ModuleType

import pytest
import torch
from typer.testing import CliRunner

from flowkit_deflow import PRESETS, DeFlow
from flowkit_deflow.app.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", _blocks("python"))
def test_python_examples_run(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = DeFlow(PRESETS["tiny"].architecture)
    model.initialize(torch.rand(4, 3, 16, 16), torch.tensor([0, 1, 0, 1]))
    model.save_pretrained(tmp_path / "RUN" / "model")
    monkeypatch.chdir(tmp_path)
    # A module that can be found again, as a user's would be: what is pickled is looked up in it.
    module = ModuleType("readme_example")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    # Nothing that the README shows may be on its way out.
    with warnings.catch_warnings(action="error"):
        exec(compile(code, "README.md", "exec"), vars(module))


def test_ci_runs_the_test_command() -> None:
    (command,) = (block.strip() for block in _blocks("sh") if "tox" in block)
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_commands_of_the_readme_exist_with_their_options() -> None:
    calls = re.findall(r"^deflow (\w+) (.*)$", "\n".join(_blocks("sh")), re.MULTILINE)
    assert {name for name, _ in calls} >= {"train", "degrade", "evaluate"}
    for name, arguments in calls:
        shown = CliRunner().invoke(app, [name, "--help"], terminal_width=200, color=False)
        assert shown.exit_code == 0, name
        for option in re.findall(r"--[\w-]+", arguments):
            assert option in shown.output, f"deflow {name} {option}"


def test_pictures_are_there() -> None:
    for target in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / target).is_file(), target
