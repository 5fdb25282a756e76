"""The commands on how-to pages of training, run one after the other as they stand there, on tiny networks."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from flowkit_deflow.training.checkpoint_io import last_checkpoint, steps_of
from tests.flowkit_deflow.conftest import Command, Photos

HOWTO = Path(__file__).parents[3] / "docs" / "howto"
# What a page asks for, and what is enough here.
SMALLER = {"small": "tiny", "500": "2"}
SHORT = ("--set", "training.steps=2", "--set", "training.workers=0", "--set", "training.accelerator=cpu")


def commands(page: str) -> list[list[str]]:
    """The calls of deflow in a page's shell blocks."""
    text = (HOWTO / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    calls = [shlex.split(line)[1:] for block in blocks for line in block.splitlines() if line.startswith("deflow ")]
    return [[SMALLER.get(word, word) for word in call] for call in calls]


@pytest.fixture
def place(photos: Photos, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything that the pages name."""
    for name in ("CLEAN", "PHOTOS"):
        shutil.copytree(photos.clean, tmp_path / name)
    for name in ("DEGRADED", "NEW_CAMERA"):
        shutil.copytree(photos.noisy, tmp_path / name)
    shutil.copytree(trained, tmp_path / "TRAINED")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(deflow: Command, call: list[str]) -> None:
    short = SHORT if call[0] == "train" and "--preset" in call and "--steps" not in call else SHORT[2:]
    ended = deflow(*call, *(short if call[0] == "train" else ()))
    assert ended.status == 0, f"{shlex.join(call)}: {ended.err}"


def test_train_on_your_photographs(deflow: Command, place: Path) -> None:
    train, report, convert = commands("train-on-your-photographs.md")
    for call in (train, report, convert):
        run(deflow, call)
    assert (place / "RUN" / "report" / "report.html").exists()
    assert (place / "BEST" / "model.safetensors").exists()


def test_fine_tune_on_a_new_camera(deflow: Command, place: Path) -> None:
    (place / "TRAINED").rename(place / "RUN")
    for call in commands("fine-tune-on-a-new-camera.md"):
        run(deflow, call)
    assert steps_of(last_checkpoint(place / "NEW")) == 2
    assert (place / "EVALUATION" / "evaluation.json").exists()


def test_train_with_little_memory(deflow: Command, place: Path) -> None:
    for call in commands("train-with-little-memory.md"):
        run(deflow, call)
    assert steps_of(last_checkpoint(place / "RUN")) == 2
