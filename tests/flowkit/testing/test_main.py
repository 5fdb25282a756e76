"""``python -m flowkit.testing`` as a user runs it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import flowkit
import flowkit.testing.__main__ as command
from flowkit.testing import PROPERTIES
from flowkit.testing.__main__ import main
from flowkit.testing.catalogue import CATALOGUE

LAYERS = """
import flowkit
import torch
from flowkit import Bijector, sum_event
from flowkit.testing import Case


class Double(Bijector):
    def _forward(self, x, prepared):
        return 2 * x, sum_event(torch.full_like(x, 2.0).log(), 1)

    def _inverse(self, z, prepared):
        return z / 2, -sum_event(torch.full_like(z, 2.0).log(), 1)


class Wrong(Double):
    def _inverse(self, z, prepared):
        return z / 2, sum_event(torch.full_like(z, 2.0).log(), 1)


class Sized(Double):
    def __init__(self, size):
        super().__init__()


class Group:
    case = Case(Double, event=(3,))


both = {"double": Case(Double, event=(3,)), "wrong": Case(Wrong, event=(3,))}
number = 3
"""


@pytest.fixture
def layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "main_layers.py").write_text(LAYERS)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("main_layers", None)
    return "main_layers"


def test_a_target_of_the_working_folder_by_the_command_itself(tmp_path: Path) -> None:
    (tmp_path / "main_layers.py").write_text(LAYERS)
    arguments = [sys.executable, "-m", "flowkit.testing", "main_layers:Double", "--event", "4", "--seeds", "1"]
    # So that a working tree which is not installed is found from another folder.
    environment = {**os.environ, "PYTHONPATH": str(Path(flowkit.__file__).parents[1])}
    ran = subprocess.run(
        arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert re.fullmatch(r"main_layers:Double: \d+ properties hold", lines[0])
    assert [line.split()[0] for line in lines[2:]] == [prop.id for prop in PROPERTIES]
    assert ran.stderr == ""


def test_a_violation_is_told_and_the_status_is_one(layers: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{layers}:Wrong", "--event", "4", "--only", "shapes,log_dets_cancel", "--seeds", "1"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{layers}:Wrong: 1 property fails, 1 holds"
    assert re.fullmatch(r"log_dets_cancel  \d\.\de\+00  1e-08      failed", lines[3])
    assert lines[4].startswith("FAILED log_dets_cancel: the log-determinant of inverse")


def test_a_case_inside_a_class(layers: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{layers}:Group.case", "--only", "shapes"]) == 0
    assert "1 property holds" in capsys.readouterr().out


def test_a_dict_has_a_line_each(layers: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{layers}:both", "--only", "shapes,log_dets_cancel,round_trip_of_data", "--seeds", "1"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["bijector", "round", "trip", "seconds", "verdict"]
    assert re.fullmatch(r"double       0\.0e\+00      \d\.\d  3 properties hold", lines[1])
    assert re.fullmatch(r"wrong        0\.0e\+00      \d\.\d  1 property fails, 2 hold", lines[2])
    assert lines[4] == "wrong:"
    assert lines[5].startswith("  FAILED log_dets_cancel: ")
    assert lines[-1] == "2 bijectors checked: 1 break the contract"


def test_without_a_target_the_catalogue_and_the_plugins_are_checked(
    layers: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = dict(list(CATALOGUE.items())[::10])
    monkeypatch.setattr(command, "CATALOGUE", some)
    # As an installer leaves it.
    (tmp_path / "main_layers.py").write_text(LAYERS + "\n\nplugin = flowkit.Plugin(bijectors=both)\n")
    info = tmp_path / "main_layers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: main_layers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[flowkit.plugins]\ntheirs = main_layers:plugin\n")
    assert main(["--only", "shapes,log_dets_cancel", "--seeds", "1"]) == 1
    output = capsys.readouterr().out
    names = [line.split("  ")[0] for line in output.splitlines()]
    assert names[1 : 1 + len(some)] == list(some)
    assert {"theirs: double", "theirs: wrong"} <= set(names)
    assert "\n\ntheirs: wrong:\n  FAILED log_dets_cancel: " in output
    assert output.endswith(" bijectors checked: 1 break the contract\n")


def test_the_properties_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    output = capsys.readouterr().out
    for prop in PROPERTIES:
        assert f"\n{prop.id}" in f"\n{output}"
        assert " ".join(prop.statement.split()) in " ".join(output.split())
    assert max(map(len, output.splitlines())) <= 110


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Squeeze"], "'Squeeze' is not of the form package.module:name"),
        (["no_such_package:x", "--event", "3"], "there is no module 'no_such_package'"),
        (["flowkit.no_such:x", "--event", "3"], "there is no module 'flowkit.no_such'"),
        (["flowkit:NoSuch", "--event", "3"], "'flowkit' has no 'NoSuch'"),
        (["flowkit:Squeeze"], r"event is missing.*--event 3,8,8"),
        (["flowkit:Squeeze", "--event", "3,5,4"], "does not take the event shape .*divisible by 2"),
        (["flowkit:Squeeze", "--event", "3,4"], "Squeeze takes 3 event dimensions"),
        (["flowkit:StandardNormal", "--event", "3"], "makes a StandardNormal, not a Bijector"),
        (["{layers}:number", "--event", "3"], "can be checked, not 3"),
        (["{layers}:Sized", "--event", "3"], "missing 1 required positional argument: 'size'"),
        (["{layers}:Group.case", "--event", "3"], "stated by the Case"),
        (["flowkit:Squeeze", "--event", "3,x"], "'3,x' is no shape"),
        (["flowkit:Squeeze", "--event", "3,0"], "'3,0' is no shape"),
        (["flowkit:Squeeze", "--event", "3", "--seeds", "0"], "'0' is no number of seeds"),
        (["flowkit:Squeeze", "--event", "3", "--only", "logdet"], "--only names no property: logdet"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_a_line(
    arguments: list[str], message: str, layers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([argument.format(layers=layers) for argument in arguments])
    assert stopped.value.code == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert re.search(message, told.err.splitlines()[-1])


def test_an_error_inside_the_module_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "main_misses.py").write_text("import a_package_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_there"):
        main(["main_misses:x", "--event", "3"])
