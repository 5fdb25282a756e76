"""The timings, by pytest-benchmark: run by ``python -m benchmarks peers``."""

from collections.abc import Callable
from functools import partial
from itertools import product

from benchmarks.alternating import take_turns
from benchmarks.peers.libraries import LIBRARIES, build, takes_part
from benchmarks.peers.measured import PHASES
from benchmarks.peers.model import Model, compiled
from benchmarks.peers.options import CALLS, CHOSEN
from benchmarks.peers.products import products_of
from benchmarks.peers.table import COMPILED, PRODUCTS
from benchmarks.peers.work import QUICK, RECORD

WORKS = QUICK if CHOSEN.quick else RECORD

# Feature by feature, layer by layer: the 512 steps would become one graph, at about a second of compilation each.
NOT_COMPILED = {("maf", "sampling")}


def cases(name: str, phase: str) -> dict[str, Callable[[], Callable[[], object]]]:
    """How what is timed is made, by each library."""
    work = WORKS[name]

    def prepared(library: str, change: Callable[[Model], Model] = lambda model: model) -> Callable[[], object]:
        return PHASES[phase](change(build(library, name, work)), work)

    made = {library: partial(prepared, library) for library in LIBRARIES if takes_part(library, name)}
    made[PRODUCTS] = lambda: products_of(prepared("flowkit"))
    if not CHOSEN.quick and (name, phase) not in NOT_COMPILED:
        made[COMPILED] = partial(prepared, "flowkit", compiled)
    return made


def benchmark(name: str, phase: str) -> Callable[..., None]:
    """All libraries at one work, in turn."""

    @take_turns(cases(name, phase), f"{name}, {phase}", CHOSEN.rounds, CALLS)
    def test(make: Callable[[], Callable[[], object]]) -> Callable[[], object]:
        return make()

    return test


for _name, _phase in product(WORKS, PHASES):
    globals()[f"test_{_name}_{_phase.replace(' ', '_')}"] = benchmark(_name, _phase)
