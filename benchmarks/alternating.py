"""Timings by pytest-benchmark: implementations take turns, so that a slow minute of the machine falls on all of them.

A file of such benchmarks has tests like ::

    @take_turns({"plain": plain, "flowkit": fast}, group="degrade one image", rounds=5)
    def test_degrade(work: Callable[[], Callable[[], object]]) -> Callable[[], object]:
        return work()

each of which returns what is to be timed, made once and called once before the clock starts.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import wraps
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import pytest

__all__ = ["Timing", "run_file", "take_turns"]


@dataclass(frozen=True)
class Timing:
    """One implementation's runs of one piece of work."""

    group: str
    name: str
    seconds: tuple[float, ...]
    """Of each run."""

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def spread(self) -> float:
        """Half the distance of the quartiles, over the median."""
        if len(self.seconds) < 2:
            return 0.0
        lower, _, upper = quantiles(self.seconds, n=4, method="inclusive")
        return (upper - lower) / 2 / self.median

    def per_call(self, calls: int) -> "Timing":
        """The same of runs that are so many calls each, per call."""
        return replace(self, seconds=tuple(seconds / calls for seconds in self.seconds))

    def record(self) -> dict[str, Any]:
        """For a JSON file."""
        rounded = tuple(float(f"{s:.4g}") for s in self.seconds)
        return asdict(self) | {
            "seconds": rounded,
            "median": float(f"{self.median:.4g}"),
            "spread": round(self.spread, 3),
        }


def take_turns(
    cases: Mapping[str, Any], group: str, rounds: int = 5, settle: bool = True
) -> Callable[[Callable[[Any], Callable[[], object]]], Callable[..., None]]:
    """Make a benchmark of a function from a case to the work: each case once, then each again, ``rounds`` times.

    Before a case's run its work is called once, untimed: caches and the allocator's memory are still as the case before
    left them, and it is the steady state that users meet. Work in a process of its own (:class:`OwnProcess`) need not
    be called again before each run.

    Args:
        cases: by name.
        group: what the work is.
        rounds: runs of each.
        settle: call the work untimed before each run, not before the first alone.
    """

    def decorate(prepare: Callable[[Any], Callable[[], object]]) -> Callable[..., None]:
        works: dict[str, Callable[[], object]] = {}

        @pytest.mark.parametrize(("repeat", "name"), [(repeat, name) for repeat in range(rounds) for name in cases])
        @wraps(prepare)
        def test(benchmark: Any, repeat: int, name: str) -> None:
            if name not in works:
                works[name] = prepare(cases[name])
            benchmark.group = group
            benchmark.extra_info["name"] = name
            if settle or repeat == 0:
                works[name]()
            benchmark.pedantic(works[name], rounds=1)
            if repeat == rounds - 1:
                del works[name]

        # pytest reads the wrapped function's arguments otherwise.
        del test.__wrapped__
        return test

    return decorate


def run_file(file: Path, arguments: Sequence[str] = ()) -> list[Timing]:
    """Run a file of benchmarks in a process of its own.

    Args:
        file: the file.
        arguments: more of pytest's, as ``-k``.

    Returns:
        The timings, groups and names in the order in which they ran.

    Raises:
        RuntimeError: a benchmark failed.
    """
    # Within a parallel test run, pytest-benchmark would take this process for one of its workers, and time nothing.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, "-m", "pytest", str(file), "-q", "-s", "-p", "no:cacheprovider", "--no-header"]
        command += ["-c", "/dev/null", "--rootdir", str(file.parents[2]), "--benchmark-quiet"]
        command += [f"--benchmark-json={result}", *arguments]
        status = subprocess.run(command, check=False, env=environment).returncode
        if status or not result.exists():
            raise RuntimeError(f"{file}: pytest ended with status {status}; what it printed says why")
        runs = json.loads(result.read_text(encoding="utf-8"))["benchmarks"]
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    for run in runs:
        seconds[run["group"], run["extra_info"]["name"]] += run["stats"]["data"]
    return [Timing(group, name, tuple(values)) for (group, name), values in seconds.items()]
