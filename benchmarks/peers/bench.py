"""The timings, by pytest-benchmark: run by ``python -m benchmarks peers``."""

import re
from collections.abc import Callable
from functools import partial

from benchmarks.alternating import take_turns
from benchmarks.bench_options import CHOSEN
from benchmarks.own_process import OwnProcess, Prepare
from benchmarks.peers.cases import cases, repeated
from benchmarks.peers.work import GRIDS

QUICK = CHOSEN.works == "quick"


def benchmark(group: str, made: dict[str, Prepare]) -> Callable[..., None]:
    """All libraries at one work, in turn."""

    @take_turns(made, group, CHOSEN.rounds, settle=False)
    def test(prepare: Prepare) -> Callable[[], object]:
        run = partial(repeated, prepare)
        # A process's start takes seconds.
        return run() if QUICK else OwnProcess(run)

    return test


for _name, _work in CHOSEN.of(GRIDS[CHOSEN.works]).items():
    for _phase in _work.phases:
        _group = f"{_name}, {_phase}"
        _made = cases(_phase, _work, compile_too=not QUICK)
        globals()["test_" + re.sub(r"\W+", "_", _group)] = benchmark(_group, _made)
