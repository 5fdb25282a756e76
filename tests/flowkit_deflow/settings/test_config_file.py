"""A file of settings of one kind of run, given where another is asked for."""

from pathlib import Path
from typing import Any

import pytest

from flowkit_deflow.errors import UserError
from flowkit_deflow.settings.adversarial import PdmRun
from flowkit_deflow.settings.config_file import read_config
from flowkit_deflow.settings.degraders import CameraRun, WhiteRun
from flowkit_deflow.settings.restoration import RestorerRun
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.settings.text import to_yaml
from tests.flowkit_deflow.conftest import Command

KINDS = (Run(), RestorerRun(), PdmRun(), WhiteRun(), CameraRun())
NAMES = ("DeFlow", "a restorer", "the degrader 'pdm'", "the degrader 'white'", "the degrader 'camera'")


@pytest.mark.parametrize(("given", "name"), list(zip(KINDS, NAMES, strict=True)))
@pytest.mark.parametrize("wanted", KINDS)
def test_whole_settings_are_taken_for_their_own_kind_alone(given: Any, name: str, wanted: Any, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(to_yaml(given))
    if given == wanted:
        assert read_config(type(wanted), file) == given
    else:
        with pytest.raises(UserError, match=f"settings.yaml: holds the settings of {name}, expected those of"):
            read_config(type(wanted), file)


def test_a_few_settings_that_several_kinds_have_are_taken(tmp_path: Path) -> None:
    (tmp_path / "few.yaml").write_text("training: {steps: 7}")
    for wanted in (Run, RestorerRun, PdmRun):
        assert read_config(wanted, tmp_path / "few.yaml").training.steps == 7


def test_a_misspelt_setting_is_told_as_before(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("training: {stesp: 7}")
    with pytest.raises(UserError, match=r"did you mean 'training\.steps'"):
        read_config(Run, tmp_path / "run.yaml")


@pytest.mark.parametrize(
    ("command", "given", "message"),
    [
        (["train"], RestorerRun(), "holds the settings of a restorer, expected those of DeFlow"),
        (["train"], PdmRun(), "holds the settings of the degrader 'pdm', expected those of DeFlow"),
        (["train", "--degrader", "pdm"], Run(), "holds the settings of DeFlow, expected those of the degrader 'pdm'"),
        (["restorer", "train"], Run(), "holds the settings of DeFlow, expected those of a restorer; give the restorer"),
    ],
)
def test_commands_tell_of_it(deflow: Command, tmp_path: Path, command: list[str], given: Any, message: str) -> None:
    (tmp_path / "settings.yaml").write_text(to_yaml(given))
    ended = deflow(*command, "--config", tmp_path / "settings.yaml", "--out", tmp_path / "run")
    assert (ended.status, message in ended.err, ended.err.count("\n")) == (2, True, 1), ended.err
