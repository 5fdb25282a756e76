"""The timings, by pytest-benchmark: run by ``python -m benchmarks peers``."""

from collections.abc import Callable
from functools import partial
from itertools import product

from benchmarks.alternating import take_turns
from benchmarks.peers.libraries import LIBRARIES, build, takes_part
from benchmarks.peers.measured import PHASES
from benchmarks.peers.model import Model, compiled
from benchmarks.peers.options import CALLS, CHOSEN
from benchmarks.peers.work import QUICK, RECORD

WORKS = QUICK if CHOSEN.quick else RECORD

# Feature by feature, layer by layer: the 512 steps would become one graph, at about a second of compilation each.
NOT_COMPILED = {("maf", "sampling")}


def cases(name: str, phase: str) -> dict[str, Callable[[], Model]]:
    """How each library's model of a work is made."""
    made = {library: partial(build, library, name, WORKS[name]) for library in LIBRARIES if takes_part(library, name)}
    if CHOSEN.quick or (name, phase) in NOT_COMPILED:
        return {**made}
    return {**made, "flowkit compiled": lambda: compiled(made["flowkit"]())}


def benchmark(name: str, phase: str) -> Callable[..., None]:
    """All libraries at one work, in turn."""

    @take_turns(cases(name, phase), f"{name}, {phase}", CHOSEN.rounds, CALLS)
    def test(make: Callable[[], Model]) -> Callable[[], object]:
        return PHASES[phase](make(), WORKS[name])

    return test


for _name, _phase in product(WORKS, PHASES):
    globals()[f"test_{_name}_{_phase.replace(' ', '_')}"] = benchmark(_name, _phase)
