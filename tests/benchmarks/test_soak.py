"""The soak: how a process is interrupted, and what is held against what."""

import json
import random
import signal
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchmarks.soak.attempt import Attempt, Clock, attempt, finish
from benchmarks.soak.command import _counts, _told
from benchmarks.soak.interruptions import INTERRUPTIONS, Interruption
from benchmarks.soak.run import soak_run
from benchmarks.soak.works import Work, works

# Ends by itself within a second, and writes nothing.
SAYS_ITS_VERSION = Work("version", ("--version",), ())


def named(name: str) -> Interruption:
    return next(kind for kind in INTERRUPTIONS if kind.name == name)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def written(**files: str) -> Path:
        (tmp_path / "out").mkdir(exist_ok=True)
        for name, text in files.items():
            (tmp_path / "out" / name.replace("__", ".")).write_text(text)
        return tmp_path / "out"

    return written


def test_results_are_compared_by_their_content_and_records_are_left_out(write: Callable[..., Path]) -> None:
    work = Work("degrade", (), ("**/*.png",))
    out = write(a__png="1", b__png="2", manifest__jsonl="{}")
    before = work.digests(out)
    assert set(before) == {"a.png", "b.png"}
    write(manifest__jsonl="{ }")
    assert work.digests(out) == before
    write(b__png="3")
    assert work.digests(out) != before


def test_finished_files_are_those_that_the_record_names_and_that_are_there(write: Callable[..., Path]) -> None:
    lines = [json.dumps({"begun": ["b.png"]}), json.dumps({"done": ["a.png", "gone.png"]}), '{"done": ["b.p']
    out = write(a__png="1", b__png="2", manifest__jsonl="\n".join(lines))
    assert set(Work("degrade", (), ()).finished(out)) == {"a.png"}


def test_a_killed_worker_is_for_training_alone(tmp_path: Path) -> None:
    suited = {
        work.name: {kind.name for kind in INTERRUPTIONS if kind.suits(work)} for work in works(tmp_path, tmp_path)
    }
    assert "killed worker" in suited["train"]
    assert suited["degrade"] == suited["pairs"] == suited["train"] - {"killed worker"}


def test_a_command_that_is_killed_and_one_that_is_let_alone(tmp_path: Path) -> None:
    clock = Clock(starting=0.0, working=0.0, size=0)
    # Draws the moment: at once.
    killed = attempt(SAYS_ITS_VERSION, tmp_path / "out", named("SIGKILL to the group"), clock, Starting())
    assert (killed.status, killed.as_expected, killed.phase) == (-signal.SIGKILL, True, "starting")
    alone, _ = finish(SAYS_ITS_VERSION, tmp_path / "out")
    assert (alone.status, alone.traceback, alone.left_running) == (0, False, 0)
    assert alone.said.startswith("deflow ")


class Starting(random.Random):
    """Interrupts while the command starts."""

    def random(self) -> float:
        return 0.0


def test_what_was_made_again_is_told(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work("degrade", (), ("*.png",))
    out = write(a__png="1", manifest__jsonl=json.dumps({"done": ["a.png"]}))
    write(**{"__a.0123__png": "half"})
    reference = (work.digests(out), Clock(1.0, 1.0, 1))

    def finishing(*_: object) -> object:
        (out / "a.png").unlink()
        return ENDED, None

    monkeypatch.setattr("benchmarks.soak.run.attempt", lambda *_: KILLED)
    monkeypatch.setattr("benchmarks.soak.run.finish", finishing)
    result = soak_run(work, reference, [named("SIGKILL")], out, random.Random(0))
    assert result["lost"] == ["a.png"]
    assert not result["identical"]
    assert result["leftovers"] == [".a.0123.png"]


def _attempt(**changes: Any) -> Attempt:
    usual: dict[str, Any] = {
        "interruption": "SIGKILL",
        "phase": "working",
        "status": -9,
        "as_expected": True,
        "traceback": False,
        "said": "",
        "left_running": 0,
    }
    return Attempt(**(usual | changes))


KILLED, ENDED = _attempt(), _attempt(interruption="", status=0)


def test_counts_add_up() -> None:
    late = _attempt(interruption="SIGTERM", status=0)
    wrong = _attempt(interruption="full disk", status=1, as_expected=False, traceback=True)
    runs = [
        {"work": "train", "attempts": [*map(asdict, (KILLED, late))], "identical": True, "lost": [], "leftovers": []},
        {
            "work": "pairs",
            "attempts": [*map(asdict, (wrong, ENDED))],
            "identical": False,
            "lost": ["a"],
            "leftovers": [],
        },
    ]
    counts = _counts(runs)
    assert counts["interruptions"] == {"SIGKILL": 1, "SIGTERM": 1, "full disk": 1}
    assert (counts["ended_before"], counts["identical"], counts["tracebacks"], counts["lost"]) == (1, 1, 1, 1)
    happened, came_to = _told({"counts": counts})
    assert happened == "2 runs (1 train, 1 pairs): 1 x SIGKILL, 1 x SIGTERM, 1 x full disk; 1 of them came too late"
    assert came_to.startswith("1 ended with the unbroken run's result; 1 tracebacks, 1 other exit statuses")
