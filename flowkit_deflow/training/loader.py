"""Batches for training, made in processes of their own."""

import signal
import sys
from types import TracebackType
from typing import TypeVar

from torch.utils.data import DataLoader, Dataset

from flowkit_deflow.errors import UserError
from flowkit_deflow.training.data import StepSampler

__all__ = ["is_lost_worker", "load"]

BATCHES_AHEAD = 4

B = TypeVar("B")


def load(batches: Dataset[B], start: int, steps: int, workers: int) -> DataLoader[B | UserError]:
    """The batches of the steps from ``start`` to ``steps``; what is wrong with the data takes a batch's place.

    Args:
        batches: the training data; item ``n`` is the whole batch of step ``n``.
        start: the first step.
        steps: the step to end before.
        workers: processes that make batches; 0: this one.
    """
    return DataLoader(
        _ToldPlainly(batches),
        batch_size=None,
        sampler=StepSampler(start, steps),
        num_workers=workers,
        prefetch_factor=BATCHES_AHEAD if workers else None,
        worker_init_fn=_leave_signals_to_the_main_process,
    )


class _ToldPlainly(Dataset[B | UserError]):
    """Batches for data-loader processes, which would bury an error's one line in a traceback: it is handed over."""

    def __init__(self, batches: Dataset[B]) -> None:
        self.batches = batches

    def __getitem__(self, step: int) -> B | UserError:
        try:
            return self.batches[step]
        except UserError as error:
            return error


def is_lost_worker(error: OSError | RuntimeError) -> bool:
    """Whether a data-loader process ended without being told to: PyTorch says so, or its connection breaks before.

    Examples:
        >>> is_lost_worker(RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "))
        True
    """
    return isinstance(error, ConnectionError) or str(error).startswith("DataLoader worker")


def _leave_signals_to_the_main_process(worker: int) -> None:
    """In a worker: stay until the main process is done, though the signal to end came to the whole group.

    No traceback is left when the main process is stopped while it takes a batch over.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.excepthook = _unless_connection_lost


def _unless_connection_lost(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if not issubclass(kind, EOFError | ConnectionError):
        sys.__excepthook__(kind, error, traceback)
