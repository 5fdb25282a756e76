from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.alternating import Timing, run_file
from benchmarks.peak_memory import peak_memory

BENCH = """
from benchmarks.alternating import take_turns

ORDER = []

def work(case):
    ORDER.append(f"made {case}")
    return lambda: ORDER.append(case)

test_work = take_turns({"one": 1, "two": 2}, "some work", rounds=3)(work)
test_settled = take_turns({"three": 3}, "settled work", rounds=2, settle=False)(work)

def test_order():
    # Each made when its turn comes first, and called once before each run, or before the first alone.
    assert ORDER == ["made 1", 1, 1, "made 2", 2, 2, 1, 1, 2, 2, 1, 1, 2, 2, "made 3", 3, 3, 3]
"""


def test_cases_take_turns_and_are_warmed_up(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "bench.py"
    file.parent.mkdir(parents=True)
    file.write_text(BENCH, encoding="utf-8")
    timings = run_file(file)
    assert [(timing.group, timing.name, len(timing.seconds)) for timing in timings] == [
        ("some work", "one", 3),
        ("some work", "two", 3),
        ("settled work", "three", 2),
    ]


def test_a_failing_benchmark_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "bench.py"
    file.parent.mkdir(parents=True)
    file.write_text("def test_it():\n    assert False\n", encoding="utf-8")
    with pytest.raises(RuntimeError, match="pytest ended with status 1"):
        run_file(file)


def test_median_and_spread() -> None:
    timing = Timing("g", "n", (1.0, 2.0, 3.0, 4.0, 100.0))
    assert timing.median == 3
    assert timing.spread == pytest.approx((4 - 2) / 2 / 3)
    assert Timing("g", "n", (2.0,)).spread == 0


def some_work(megabytes: str) -> Callable[[], object]:
    """For a process of its own."""
    return lambda: b"x" * (int(megabytes) * 1_000_000)


def test_peak_memory_sees_what_the_work_needs() -> None:
    small, large = (peak_memory(f"{__name__}:some_work", size) for size in ("1", "301"))
    assert (large["peak"] - large["ready"]) - (small["peak"] - small["ready"]) == pytest.approx(0.3, abs=0.03)
