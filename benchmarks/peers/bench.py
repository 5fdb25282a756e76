"""The timings, by pytest-benchmark: run by ``python -m benchmarks peers``."""

from collections.abc import Callable
from functools import partial
from itertools import product

from benchmarks.alternating import take_turns
from benchmarks.own_process import OwnProcess, Prepare
from benchmarks.peers.cases import cases, repeated
from benchmarks.peers.measured import PHASES
from benchmarks.peers.options import CHOSEN
from benchmarks.peers.work import QUICK, RECORD

WORKS = QUICK if CHOSEN.quick else RECORD


def benchmark(name: str, phase: str) -> Callable[..., None]:
    """All libraries at one work, in turn."""

    @take_turns(
        cases(name, phase, WORKS[name], compile_too=not CHOSEN.quick), f"{name}, {phase}", CHOSEN.rounds, settle=False
    )
    def test(prepare: Prepare) -> Callable[[], object]:
        run = partial(repeated, prepare)
        # A process's start takes seconds.
        return run() if CHOSEN.quick else OwnProcess(run)

    return test


for _name, _phase in product(WORKS, PHASES):
    globals()[f"test_{_name}_{_phase.replace(' ', '_')}"] = benchmark(_name, _phase)
