"""The runs: one training after the other in a few processes of one thread each."""

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.density.architectures import Density
from benchmarks.density.data import load
from benchmarks.density.suite import LIBRARIES, Job
from benchmarks.density.toys import TOYS
from benchmarks.density.training import evaluate, train
from benchmarks.pool import share_out

__all__ = ["GRID", "Run", "build", "run", "run_all"]

Floats = npt.NDArray[np.float32]

GRID = np.linspace(-3.0, 3.0, 121)
"""Coordinates at which a toy's density is kept for the pictures."""

_data = lru_cache(load)


@dataclass(frozen=True)
class Run:
    """What came of a job."""

    job: Job
    parameters: int
    """Numbers that were trained."""
    seconds: float
    """Processor time of training."""
    best_step: int
    log_likelihood: Floats
    """Of each test sample, in nats."""
    grid: Floats | None
    """A toy's learned density at the points of ``GRID x GRID``, rows along y; from the first seed alone."""


def module_of(library: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.density.{library}_models")


def build(job: Job) -> Density | None:
    """The untrained model; ``None`` where the library has no counterpart."""
    make = getattr(module_of(job.library), job.model, None)
    if make is None:
        return None
    torch.manual_seed(job.seed)
    return make(_data(job.data).event, job.group.models[job.model])


def run(job: Job) -> Run | None:
    """Train and test one model; ``None`` where the library has no counterpart."""
    density = build(job)
    if density is None:
        return None
    data = _data(job.data)
    trained = train(density, data, job.group.budget, job.seed)
    grid = None
    if job.data in TOYS and job.seed == job.group.seeds[0]:
        points = torch.tensor(np.stack(np.meshgrid(GRID, GRID), axis=-1).reshape(-1, 2), dtype=torch.float32)
        grid = evaluate(density, points).exp().reshape(len(GRID), len(GRID)).numpy()
    return Run(
        job,
        sum(parameter.numel() for parameter in density.module.parameters()),
        trained.seconds,
        trained.best_step,
        evaluate(density, data.test).numpy(),
        grid,
    )


def run_all(jobs: Sequence[Job], workers: int) -> Iterator[Run]:
    """All runs, in the jobs' order, with a bar of progress; what has no counterpart is left out."""
    for result in share_out(run, jobs, workers):
        if result is not None:
            yield result


def without_counterpart(models: Sequence[str]) -> dict[str, list[str]]:
    """Which of the models each library lacks."""
    lacking = {library: [m for m in models if not hasattr(module_of(library), m)] for library in LIBRARIES}
    return {library: names for library, names in lacking.items() if names}
