"""A training run in a process that kills itself, as `kill -9` would, at a chosen moment."""

import multiprocessing
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.callbacks import Callback

from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.trainer import train

__all__ = ["KillPoint", "run_until_killed"]


@dataclass(frozen=True)
class KillPoint:
    """The ``at``-th time that something happens, from 0.

    Attributes:
        event: a callback's hook (``on_train_batch_end``), or the opening or renaming of a file or folder, by the
            beginning of its name (``open .last.``, ``rename last.ckpt``).
        at: how often it happens before.
    """

    event: str
    at: int = 0


class _Killer(Callback):
    def __init__(self, point: KillPoint) -> None:
        self.left = point.at
        if " " in point.event:
            sys.addaudithook(self._audit)
            self.kind, self.name = point.event.split()
        else:
            setattr(self, point.event, lambda *_, **__: self._count())

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        path = {"open": lambda: arguments[0], "os.rename": lambda: arguments[1]}.get(event, lambda: None)()
        if event.endswith(self.kind) and isinstance(path, str | Path) and Path(path).name.startswith(self.name):
            self._count()

    def _count(self) -> None:
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1


def _train(run: Run, out: Path, point: KillPoint | None) -> None:
    # Else its data-loader workers would be started by a server of its own, which outlives it.
    multiprocessing.set_start_method("fork", force=True)
    torch.set_num_threads(1)
    train(run, out, progress=False, callbacks=[] if point is None else [_Killer(point)])


def run_until_killed(run: Run, out: Path, point: KillPoint | None) -> int:
    """Train in a new process; returns its exit status, -9 if it was killed."""
    # The server imports PyTorch once: each process then starts at once, with nothing of the others' state.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["flowkit_deflow.training.trainer"])
    process = context.Process(target=_train, args=(run, out, point))
    process.start()
    process.join(120)
    assert process.exitcode is not None, "the run hangs"
    return process.exitcode
