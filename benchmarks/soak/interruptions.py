"""What can happen to a process at any moment."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.soak.works import Work

__all__ = ["INTERRUPTIONS", "Interruption", "small_disk"]

Process = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Interruption:
    """Something that happens to a process.

    Attributes:
        name: in the record.
        strike: does it; the process leads a group of its own.
        expected: exit statuses that are right then; 0 is, where the process was just done.
        trains: whether it can only happen in training.
        fills_disk: nothing is done to the process, but the disk that it writes to is too small.
    """

    name: str
    strike: Callable[[Process], None]
    expected: tuple[int, ...]
    trains: bool = False
    fills_disk: bool = False

    def suits(self, work: Work) -> bool:
        """Whether it can happen to a work."""
        return work.trains or not self.trains


def _to_process(number: signal.Signals) -> Callable[[Process], None]:
    return lambda process: process.send_signal(number)


def _to_group(number: signal.Signals) -> Callable[[Process], None]:
    def strike(process: Process) -> None:
        # It may have ended this very moment.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    return strike


def _to_worker(process: Process) -> None:
    """Kill one of the processes that it has started, as the system does when memory runs out; nothing without one."""
    for worker in _children(process.pid)[:1]:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


def _children(parent: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{parent}/task").glob("*/children")
        for child in task.read_text(encoding="utf-8").split()
    ]


def _nothing(process: Process) -> None:
    """The disk does it."""


# The statuses of a process that a signal ended, and of one that saved first and then ended by it.
INTERRUPTIONS = (
    Interruption("SIGKILL", _to_process(signal.SIGKILL), (-signal.SIGKILL,)),
    Interruption("SIGKILL to the group", _to_group(signal.SIGKILL), (-signal.SIGKILL,)),
    Interruption("SIGTERM", _to_process(signal.SIGTERM), (-signal.SIGTERM, 128 + signal.SIGTERM)),
    Interruption("SIGTERM to the group", _to_group(signal.SIGTERM), (-signal.SIGTERM, 128 + signal.SIGTERM)),
    Interruption("SIGINT to the group", _to_group(signal.SIGINT), (-signal.SIGINT, 128 + signal.SIGINT)),
    Interruption("full disk", _nothing, (2,), fills_disk=True),
    Interruption("killed worker", _to_worker, (2,), trains=True),
)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """A folder on a disk of its own, as long as the block lasts; what lies in it stays.

    The disk is a tmpfs, whose mounting needs the rights of root.

    Args:
        folder: the folder.
        size: of the disk, in bytes.
    """
    before = folder.with_name(f"{folder.name}-before")
    shutil.rmtree(before, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    folder.rename(before)
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    after = folder.with_name(f"{folder.name}-after")
    try:
        shutil.copytree(before, folder, dirs_exist_ok=True)
        yield
    finally:
        shutil.rmtree(after, ignore_errors=True)
        # Hard links become files of their own.
        shutil.copytree(folder, after)
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()
        after.rename(folder)
        shutil.rmtree(before)
