"""The timings, by pytest-benchmark: run by ``python -m benchmarks inference``."""

import re
from collections.abc import Callable
from functools import partial

from benchmarks.alternating import take_turns
from benchmarks.bench_options import CHOSEN
from benchmarks.inference.job import Job
from benchmarks.inference.suite import CONTESTS, timed
from benchmarks.own_process import OwnProcess
from benchmarks.peers.cases import repeated

QUICK = CHOSEN.works == "quick"


def benchmark(group: str, jobs: dict[str, Job]) -> Callable[..., None]:
    """All libraries at one work, in turn."""

    @take_turns(jobs, group, CHOSEN.rounds, settle=False)
    def test(job: Job) -> Callable[[], object]:
        run = partial(repeated, job.timed)
        # A process's start takes seconds.
        return run() if QUICK else OwnProcess(run)

    return test


for _name, _jobs in timed(CONTESTS[CHOSEN.works]).items():
    globals()["test_" + re.sub(r"\W+", "_", _name)] = benchmark(_name, _jobs)
