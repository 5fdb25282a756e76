"""What is compared: which flows at which problems, with which budget."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from itertools import product
from typing import Any

from benchmarks.density.architectures import Masked, Spline
from benchmarks.density.training import Budget
from benchmarks.inference.job import Job
from benchmarks.inference.neutra import NO_FLOW, NeuTra
from benchmarks.inference.posterior import SIMULATORS, Posterior
from benchmarks.inference.reverse_kl import Descent, ReverseKL
from benchmarks.inference.targets import TARGETS

__all__ = ["CONTESTS", "OWN", "Contest", "described", "jobs", "timed"]

OWN = "flowkit"


@dataclass(frozen=True)
class Contest:
    """Jobs of one kind: every model of every library at every problem, from every seed."""

    job: type[Job]
    problems: tuple[str, ...]
    models: Mapping[str, Spline | Masked]
    """Architectures by name: those of functions in each library's module."""
    libraries: tuple[str, ...]
    """flowkit first, then its peers, then what is no library."""
    settings: Mapping[str, Any]
    """The job's other fields."""
    seeds: tuple[int, ...] = (0, 1, 2)


SPLINE, MASKED = Spline(), Masked()

REVERSE_KL = Contest(
    ReverseKL,
    tuple(TARGETS),
    {"iaf": MASKED, "nsf": SPLINE},
    (OWN, "zuko"),
    {"descent": Descent(steps=1500)},
)

POSTERIOR = Contest(
    Posterior,
    tuple(SIMULATORS),
    {"maf": MASKED, "nsf": SPLINE},
    (OWN, "zuko"),
    {"budget": Budget(steps=1500, learning_rate=2e-3)},
)

NEUTRA = Contest(
    NeuTra,
    tuple(TARGETS),
    {"iaf": MASKED},
    (OWN, "zuko", "pyro", NO_FLOW),
    {"descent": Descent(steps=1500)},
)

RECORD = (REVERSE_KL, POSTERIOR, NEUTRA)
"""The comparison of record."""

SMALL, SHORT = (16, 16), Descent(steps=20, batch=64)

QUICK = (
    replace(
        REVERSE_KL,
        problems=("banana",),
        models={"nsf": Spline(2, SMALL)},
        settings={"descent": SHORT, "samples": 500},
        seeds=(0, 1),
    ),
    replace(
        POSTERIOR,
        problems=("two moons",),
        models={"maf": Masked(2, SMALL)},
        settings={
            "budget": Budget(steps=20, batch=64, checks=1),
            "simulations": 500,
            "observations": 1,
            "draws": 100,
        },
        seeds=(0, 1),
    ),
    replace(
        NEUTRA,
        problems=("banana",),
        models={"iaf": Masked(2, SMALL)},
        settings={"descent": SHORT, "warm_up": 10, "samples": 20},
        seeds=(0, 1),
    ),
)
"""One problem of each kind, far too short to compare anything: shows that all of it runs."""

CONTESTS = {"record": RECORD, "quick": QUICK}
"""By the name of what is asked for."""


def jobs(contests: Sequence[Contest]) -> list[Job]:
    """All of them; the libraries take turns, so that a slow hour of the machine falls on all."""
    return [
        contest.job(problem, model, library, contest.models[model], seed, **contest.settings)
        for contest in contests
        for problem, model, seed, library in product(contest.problems, contest.models, contest.seeds, contest.libraries)
    ]


def timed(contests: Sequence[Contest]) -> dict[str, dict[str, Job]]:
    """What is timed beside each other: jobs by library, by the name of the work."""
    works: dict[str, dict[str, Job]] = {}
    for job in jobs(contests):
        if job.seed == 0 and job.library != NO_FLOW:
            works.setdefault(f"{job.kind}: {job.problem}, {job.model}, {job.timed_as}", {})[job.library] = job
    return works


def described(contest: Contest) -> dict[str, Any]:
    """A contest's figures, to be kept with the results."""
    return {
        "kind": contest.job.kind,
        "models": {name: asdict(architecture) for name, architecture in contest.models.items()},
        "settings": {name: asdict(each) if is_dataclass(each) else each for name, each in contest.settings.items()},
        "seeds": list(contest.seeds),
    }
