"""``python -m benchmarks soak``: interrupt commands at random moments, and see what they come to."""

import argparse
import itertools
import math
import random
import shutil
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import record as records

__all__ = ["add"]

PHOTOGRAPHS, HEIGHT, WIDTH = 16, 96, 128


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    command = commands.add_parser(
        "soak",
        help="deflow train, degrade and pairs, interrupted at random moments, against unbroken runs",
        description="Interrupts commands at random moments (signals, a full disk, a killed data-loader process), lets "
        "them go on, and compares their results with those of unbroken runs, bit for bit. Full disks are small ones of "
        "the system's memory, whose mounting needs the rights of root. Writes OUT/soak.json.",
    )
    command.set_defaults(run=run)
    command.add_argument("--runs", type=int, default=30, help="how many; default %(default)s")
    command.add_argument("--seed", type=int, default=0, help="of what happens when; default %(default)s")
    command.add_argument("--out", type=Path, default=records.RESULTS, help="folder of the record; default %(default)s")
    command.add_argument("--jobs", type=int, default=1, help="runs at a time; default %(default)s")
    command.add_argument("--minutes", type=float, default=math.inf, help="after which no further run is started")
    command.add_argument("--keep", type=Path, help="folder for what the runs write, which is kept")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; the exit status is 1 if a run did not come to the unbroken one's result."""
    path = arguments.out / "soak.json"
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        record = _soak(arguments.runs, arguments.seed, arguments.jobs, arguments.minutes, folder)
    records.write(path, record)
    print("\n".join(_told(record)))
    print(path)
    counts = record["counts"]
    return int(counts["identical"] < counts["runs"] or counts["tracebacks"] > 0 or counts["lost"] > 0)


def _soak(count: int, seed: int, jobs: int, minutes: float, folder: Path) -> dict[str, Any]:
    from benchmarks.made_up import make_photographs
    from benchmarks.soak.attempt import finish
    from benchmarks.soak.interruptions import INTERRUPTIONS, Interruption
    from benchmarks.soak.run import soak_run
    from benchmarks.soak.works import Work, works

    start = time.monotonic()
    make_photographs(folder / "data", PHOTOGRAPHS, HEIGHT, WIDTH)
    references = {}
    # The first is training: the others take its model.
    for work in works(folder / "data", folder / "unbroken-train" / "model"):
        out = folder / f"unbroken-{work.name}"
        ended, clock = finish(work, out)
        if ended.status:
            raise RuntimeError(f"{work.name} fails when it is let alone: {ended.said}")
        references[work] = (work.digests(out), clock)
        print(f"{work.name}, unbroken: {clock.starting:.1f} s to start, {clock.working:.1f} s of work", flush=True)
    # Every kind of interruption is the first of a run equally often, for each work.
    pairs = [(work, kind) for kind in INTERRUPTIONS for work in references if kind.suits(work)]
    random.Random(seed).shuffle(pairs)

    def one(number: int, work: Work, kind: Interruption) -> dict[str, Any] | None:
        if time.monotonic() - start > 60 * minutes:
            return None
        kinds = [kind, *(other for other in INTERRUPTIONS if other is not kind and other.suits(work))]
        out = folder / f"run-{number}"
        result = soak_run(work, references[work], kinds, out, random.Random(f"{seed} {number}"))
        print(f"run {number}: {_summary(result)}", flush=True)
        if result["identical"]:
            shutil.rmtree(out)
        return result

    with ThreadPoolExecutor(jobs) as pool:
        chosen = itertools.islice(itertools.cycle(pairs), count)
        made = list(pool.map(lambda entry: one(entry[0], *entry[1]), enumerate(chosen)))
    runs = [run for run in made if run is not None]
    return {
        "command": f"python -m benchmarks soak --runs {count} --seed {seed}",
        "minutes": round((time.monotonic() - start) / 60, 1),
        "machine": records.machine(),
        "versions": records.versions(("torch", "pytorch-lightning")),
        "counts": _counts(runs),
        "runs": runs,
    }


def _counts(runs: list[dict[str, Any]]) -> dict[str, Any]:
    attempts = [attempt for run in runs for attempt in run["attempts"]]
    interrupted = [attempt for attempt in attempts if attempt["interruption"]]
    return {
        "runs": len(runs),
        "by_work": dict(Counter(run["work"] for run in runs)),
        "interruptions": dict(Counter(attempt["interruption"] for attempt in interrupted)),
        "ended_before": sum(attempt["status"] == 0 for attempt in interrupted),
        "identical": sum(run["identical"] for run in runs),
        "tracebacks": sum(attempt["traceback"] for attempt in attempts),
        "other_status": sum(not attempt["as_expected"] for attempt in attempts),
        "left_running": sum(attempt["left_running"] for attempt in attempts),
        "lost": sum(len(run["lost"]) for run in runs),
        "leftovers": sum(len(run["leftovers"]) for run in runs),
    }


def _summary(run: dict[str, Any]) -> str:
    happened = ", ".join(
        f"{attempt['interruption']} ({attempt['phase']}, status {attempt['status']})"
        for attempt in run["attempts"]
        if attempt["interruption"]
    )
    told = "identical" if run["identical"] else "OTHER RESULT"
    faults = [attempt["said"] for attempt in run["attempts"] if attempt["traceback"] or not attempt["as_expected"]]
    return "; ".join([f"{run['work']}: {happened}; {told}", *faults, *(f"lost: {name}" for name in run["lost"])])


def _told(record: dict[str, Any]) -> list[str]:
    """The counts, in words."""
    counts = record["counts"]
    happened = ", ".join(f"{number} x {name}" for name, number in counts["interruptions"].items())
    return [
        f"{counts['runs']} runs ({', '.join(f'{n} {name}' for name, n in counts['by_work'].items())}): {happened}; "
        f"{counts['ended_before']} of them came too late",
        f"{counts['identical']} ended with the unbroken run's result; {counts['tracebacks']} tracebacks, "
        f"{counts['other_status']} other exit statuses, {counts['lost']} finished files made again, "
        f"{counts['left_running']} processes left, {counts['leftovers']} temporary files left",
    ]
