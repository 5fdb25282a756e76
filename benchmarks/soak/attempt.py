"""One command that is started, interrupted at a moment, and waited for."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.soak.interruptions import Interruption, small_disk
from benchmarks.soak.works import Work

__all__ = ["Attempt", "Clock", "attempt", "finish"]

LONGEST = 1800.0  # seconds, for a command of ten: the machine may have other things to do
PAGE = 4096  # bytes
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Clock:
    """How long an unbroken command took.

    Attributes:
        starting: seconds before it wrote its first file.
        working: seconds after that.
        size: bytes of all that it wrote.
    """

    starting: float
    working: float
    size: int


@dataclass(frozen=True)
class Attempt:
    """What became of a command.

    Attributes:
        interruption: what happened to it; empty for nothing.
        phase: ``starting`` before its first file, or ``working``.
        status: its exit status.
        as_expected: whether that status is right.
        traceback: whether it printed one.
        said: the last line that it printed.
        left_running: 1 if a process of its group is still there half a minute later.
    """

    interruption: str
    phase: str
    status: int
    as_expected: bool
    traceback: bool
    said: str
    left_running: int


def attempt(work: Work, out: Path, interruption: Interruption, clock: Clock, draw: random.Random) -> Attempt:
    """Start a command, and interrupt it at a random moment: one time in six while it starts, else while it works."""
    starting = draw.random() < 1 / 6 and not interruption.fills_disk and not interruption.trains
    share = draw.random()
    with _disk(out, interruption, clock, share), _started(work, out) as process:
        if interruption.fills_disk:
            _end_of(process)
        elif starting:
            _wait(process, share * clock.starting)
        else:
            _wait_for_a_file(process, out)
            _wait(process, share * clock.working)
        interruption.strike(process)
        status = _end_of(process)
        remaining = _remaining(process.pid)
    phase, right = "starting" if starting else "working", status == 0 or status in interruption.expected
    return Attempt(interruption.name, phase, status, right, *_said(out), remaining)


def finish(work: Work, out: Path) -> tuple[Attempt, Clock]:
    """Let a command come to its end.

    Returns:
        What became of it, and how long it took.
    """
    start = time.monotonic()
    with _started(work, out) as process:
        _wait_for_a_file(process, out)
        wrote = time.monotonic()
        status = _end_of(process)
    clock = Clock(wrote - start, time.monotonic() - wrote, _size(out))
    return Attempt("", "working", status, status == 0, *_said(out), _remaining(process.pid)), clock


@contextmanager
def _started(work: Work, out: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "flowkit_deflow", *work.command(out)]
    with _log(out).open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | ONE_THREAD, start_new_session=True
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _disk(out: Path, interruption: Interruption, clock: Clock, share: float) -> AbstractContextManager[None]:
    """A disk that has space for what is there, and for a share of what is to come."""
    if not interruption.fills_disk:
        return nullcontext()
    there = _size(out)
    return small_disk(out, there + int(share * max(clock.size - there, 0)) + PAGE)


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Wait for at most so long."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


def _end_of(process: "subprocess.Popen[bytes]") -> int:
    """The exit status of a process, which has to end.

    Raises:
        RuntimeError: it does not.
    """
    try:
        return process.wait(LONGEST)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{process.args!r} has not ended after {LONGEST:.0f} s") from None


def _wait_for_a_file(process: "subprocess.Popen[bytes]", out: Path) -> None:
    before, deadline = _files(out), time.monotonic() + LONGEST
    while process.poll() is None and _files(out) == before and time.monotonic() < deadline:
        time.sleep(0.05)


def _files(out: Path) -> set[tuple[str, int]]:
    """The files of a folder, with the times of their last changes."""
    found = set()
    for folder, _, names in os.walk(out):
        for name in names:
            # A temporary file may have been renamed meanwhile.
            with suppress(FileNotFoundError):
                file = Path(folder) / name
                found.add((str(file), file.stat().st_mtime_ns))
    return found


def _size(out: Path) -> int:
    """Bytes that the files of a folder take, each in whole pages."""
    return sum(-(-Path(file).stat().st_size // PAGE) * PAGE for file, _ in _files(out))


def _remaining(group: int) -> int:
    """Processes of a group that do not end within half a minute."""
    for _ in range(60):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return 0
        time.sleep(0.5)
    return 1


def _log(out: Path) -> Path:
    return out.with_name(f"{out.name}.log")


def _said(out: Path) -> tuple[bool, str]:
    """Whether there is a traceback in what was printed, and its last line."""
    text = _log(out).read_text(encoding="utf-8", errors="replace")
    lines = text.replace("\r", "\n").strip().splitlines()
    return "Traceback" in text, lines[-1] if lines else ""
