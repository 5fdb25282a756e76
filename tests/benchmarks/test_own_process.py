import multiprocessing
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from benchmarks.own_process import OwnProcess


def writing(file: Path) -> Callable[[], object]:
    """Each call adds the process's number and how many calls there have been."""
    calls: list[None] = []

    def work() -> None:
        calls.append(None)
        with file.open("a", encoding="utf-8") as stream:
            print(os.getpid(), len(calls), file=stream)

    return work


def ending() -> Callable[[], object]:
    return lambda: os._exit(3)


def test_the_work_is_made_once_in_another_process_and_done_at_each_call(tmp_path: Path) -> None:
    file = tmp_path / "calls.txt"
    work = OwnProcess(partial(writing, file))
    for _ in range(3):
        work()
    processes, calls = zip(*(line.split() for line in file.read_text(encoding="utf-8").splitlines()), strict=True)
    assert calls == ("1", "2", "3")
    assert len(set(processes)) == 1
    assert int(processes[0]) != os.getpid()
    assert len(multiprocessing.active_children()) == 1
    del work
    assert multiprocessing.active_children() == []


def test_a_process_that_ended_is_told() -> None:
    work = OwnProcess(ending)
    with pytest.raises(RuntimeError, match="ended with status 3"):
        work()
