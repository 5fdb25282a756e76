"""What a run shows of itself on a terminal, and in a log."""

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training import lightning_trainer
from flowkit_deflow.training.progress import ProgressBar, ProgressLines, duration, progress_for
from flowkit_deflow.training.trainer import train

Settings = Callable[..., Run]

pytestmark = pytest.mark.filterwarnings("ignore:::pytorch_lightning")

RUN = ("training.workers=0", "training.checkpoint_every=100", "training.image_every=0", "data.held_out=0")


def test_off_a_terminal_a_line_every_so_often_and_one_for_the_last_step(
    tiny: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tiny(*RUN, "training.steps=14"), tmp_path)
    (timed, line) = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"A step takes [\d.e-]+ s here: about 0 s for the 1 that are left", timed)
    assert re.fullmatch(
        r"step 14 of 14, [\d.e-]+ s a step, bits_clean [\d.]+, bits_degraded [\d.]+, learning_rate [\d.e-]+", line
    )


def test_after_a_resume_it_counts_from_there(
    tiny: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tiny(*RUN, "training.steps=3"), tmp_path, progress=False)
    monkeypatch.setattr(lightning_trainer, "progress_for", lambda terminal: ProgressLines(every=0.0))
    train(tiny(*RUN, "training.steps=5"), tmp_path)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    assert [line.split(",")[0] for line in lines] == ["step 4 of 5", "step 5 of 5"]
    assert re.match(r"step 4 of 5, 0 s left, [\d.e-]+ s a step", lines[0])


def test_the_bar_of_a_terminal_counts_from_there(
    tiny: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tiny(*RUN, "training.steps=3"), tmp_path, progress=False)
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(lightning_trainer, "progress_for", lambda _: ProgressBar())
    train(tiny(*RUN, "training.steps=5"), tmp_path)
    shown = terminal.getvalue().split("\r")
    assert any("| 3/5 [" in line for line in shown)
    assert "| 5/5 [" in shown[-1]
    assert not any("| 1/5 [" in line or "?" in line.partition("[")[2].partition("<")[0] for line in shown)


def test_which_is_shown() -> None:
    assert isinstance(progress_for(terminal=True), ProgressBar)
    assert isinstance(progress_for(terminal=False), ProgressLines)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "0 s"), (99, "99 s"), (100, "2 min"), (3600, "60 min"), (86_400, "24 h 0 min")]
)
def test_times_as_one_says_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said
