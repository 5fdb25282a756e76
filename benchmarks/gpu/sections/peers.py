"""The works of the comparison with other libraries, of one library; the families are compared on processors alone."""

from collections.abc import Iterator
from importlib.util import find_spec

from benchmarks.gpu.clock import timed
from benchmarks.gpu.section import Row
from benchmarks.gpu.sizes import Setting

__all__ = ["rows"]

SHARE = 0.4
"""Of the time that other works get: there are many of these."""


def rows(setting: Setting, library: str) -> Iterator[Row]:
    """Each work and phase that the library has; a line that says so where the library is not installed.

    Args:
        setting: the device and the sizes.
        library: one of :data:`benchmarks.peers.libraries.LIBRARIES`.
    """
    if find_spec(library) is None:
        yield {"library": library, "error": f"{library} is not installed here"}
        return
    # Here: it imports the library.
    from benchmarks.peers.libraries import build, takes_part
    from benchmarks.peers.measured import PHASES
    from benchmarks.peers.work import GRIDS

    works = {name: work for name, work in GRIDS[setting.sizes.works].items() if not work.family}
    for name, work in works.items():
        for phase in filter(lambda phase: takes_part(library, work, phase), work.phases):
            given = {"library": library, "work": f"{name}, {phase}"}
            try:
                model = build(library, work)
                model.module.to(setting.device)
                timing = timed(PHASES[phase](model, work), setting.device, SHARE * setting.sizes.seconds)
            except RuntimeError as error:
                # A model with tensors that stay behind on the CPU is a finding about that model alone.
                yield {**given, "error": " ".join(str(error).split())}
            else:
                yield {**given, **timing}
