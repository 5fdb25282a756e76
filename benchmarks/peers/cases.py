"""What is timed beside each other: the libraries at one work, and what bounds flowkit there."""

from collections.abc import Callable
from functools import partial

from benchmarks.own_process import Prepare
from benchmarks.peers.libraries import LIBRARIES, build, takes_part
from benchmarks.peers.measured import PHASES
from benchmarks.peers.model import compiled
from benchmarks.peers.table import COMPILED, OWN, PRODUCTS
from benchmarks.peers.work import Work
from benchmarks.products import products

__all__ = ["CALLS", "cases", "repeated"]

CALLS = 10
"""Of each run. A single call of some milliseconds, after others' work, would mostly find its memory and code gone."""

# Feature by feature, layer by layer: the 512 steps would become one graph, at about a second of compilation each.
NOT_COMPILED = {("maf", "sampling")}


def cases(phase: str, work: Work, compile_too: bool) -> dict[str, Prepare]:
    """How what is timed is made, by the name of its column; for other processes too.

    Args:
        phase: one of :data:`~benchmarks.peers.measured.PHASES`.
        work: the work; one that is not bounded is timed beside the peers alone.
        compile_too: whether flowkit's model is timed compiled as well.
    """
    made: dict[str, Prepare] = {
        library: partial(_prepared, library, phase, work) for library in LIBRARIES if takes_part(library, work, phase)
    }
    if not work.bounded:
        return made
    made[PRODUCTS] = partial(_products, phase, work)
    if compile_too and (work.model, phase) not in NOT_COMPILED:
        made[COMPILED] = partial(_compiled, phase, work)
    return made


def repeated(prepare: Prepare) -> Callable[[], object]:
    """A run: so many calls of what is prepared.

    Args:
        prepare: returns what is called.
    """
    call = prepare()

    def run() -> None:
        for _ in range(CALLS):
            call()

    return run


def _prepared(library: str, phase: str, work: Work) -> Callable[[], object]:
    return PHASES[phase](build(library, work), work)


def _products(phase: str, work: Work) -> Callable[[], object]:
    return products(_prepared(OWN, phase, work)).replay


def _compiled(phase: str, work: Work) -> Callable[[], object]:
    return PHASES[phase](compiled(build(OWN, work)), work)
