"""One run of the soak: interrupted once or twice, then let alone, and compared with an unbroken one."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.soak.attempt import Clock, attempt, finish
from benchmarks.soak.interruptions import Interruption
from benchmarks.soak.works import Work

__all__ = ["Reference", "soak_run"]

MOST_INTERRUPTIONS = 2

Reference = tuple[Mapping[str, str], Clock]
"""What an unbroken run ended with, and how long it took."""


def soak_run(
    work: Work, reference: Reference, kinds: Sequence[Interruption], out: Path, draw: random.Random
) -> dict[str, Any]:
    """Interrupt a command until it has been interrupted often enough, let it end, and compare.

    Args:
        work: the command.
        reference: of an unbroken run.
        kinds: what may happen to it; the first one does.
        out: the folder that it writes to.
        draw: decides on moments and on what else happens.

    Returns:
        The attempts; ``identical``, whether the result is that of the unbroken run, bit for bit; ``lost``, the files
        that were done before an interruption and were made again, or are gone; ``leftovers``, how many temporary files
        are there in the end.
    """
    digests, clock = reference
    attempts, lost, finished = [], set[str](), dict[str, int]()
    for number in range(draw.randint(1, MOST_INTERRUPTIONS)):
        kind = kinds[0] if number == 0 else draw.choice(kinds)
        attempts.append(attempt(work, out, kind, clock, draw))
        now = work.finished(out)
        # Moving a folder to a small disk and back keeps the times of its files.
        lost |= {name for name, time in finished.items() if now.get(name) != time}
        finished = dict(now)
        if attempts[-1].status == 0:
            break
    last, _ = finish(work, out)
    attempts.append(last)
    now = work.finished(out)
    lost |= {name for name, time in finished.items() if now.get(name) != time}
    return {
        "work": work.name,
        "attempts": [asdict(each) for each in attempts],
        "identical": work.digests(out) == digests,
        "lost": sorted(lost),
        "leftovers": sorted(file.relative_to(out).as_posix() for file in out.rglob(".*") if file.is_file()),
    }
