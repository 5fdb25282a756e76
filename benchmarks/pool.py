"""Jobs that are shared out among a few processes of one thread each."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

import torch
from tqdm import tqdm

__all__ = ["share_out"]

Job = TypeVar("Job")
Result = TypeVar("Result")


def share_out(work: Callable[[Job], Result], jobs: Sequence[Job], workers: int) -> Iterator[Result]:
    """All results, in the jobs' order, with a bar of progress.

    Args:
        work: what is done with each job; a function that can be pickled.
        jobs: what is to be done.
        workers: how many processes.
    """
    # Set here and not in the processes: what they import reads it before any line of theirs could run.
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        yield from tqdm(pool.map(work, jobs), total=len(jobs), unit="run", smoothing=0)


def _one_thread() -> None:
    torch.set_num_threads(1)
