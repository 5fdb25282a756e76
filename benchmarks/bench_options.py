"""What a command tells its benchmarks, which pytest runs in a process of their own: options of pytest's.

A plugin of pytest: ``-p benchmarks.bench_options --timed-works quick --timed-rounds 3``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import pytest

__all__ = ["CHOSEN", "Options", "arguments"]

Work = TypeVar("Work")


@dataclass
class Options:
    """What is run, and how often."""

    works: str = "record"
    """The name of a set of works, of which each command has its own."""
    rounds: int = 7
    only: tuple[str, ...] = ()
    """Names of works of the set, of those that can be chosen from; none for all of it."""

    def of(self, works: Mapping[str, Work]) -> dict[str, Work]:
        """What is chosen of a set of works."""
        return {name: work for name, work in works.items() if not self.only or name in self.only}


CHOSEN = Options()
"""Set before pytest imports the benchmarks."""


def arguments(options: Options) -> list[str]:
    """pytest's arguments for them."""
    only = [f"--timed-only={name}" for name in options.only]
    return ["-p", __name__, f"--timed-works={options.works}", f"--timed-rounds={options.rounds}", *only]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--timed-works", default=CHOSEN.works, help="what is timed")
    parser.addoption("--timed-rounds", type=int, default=CHOSEN.rounds, help="runs of each")
    parser.addoption("--timed-only", action="append", default=[], help="a work that is timed; default all of them")


def pytest_configure(config: pytest.Config) -> None:
    CHOSEN.works = config.getoption("--timed-works")
    CHOSEN.rounds = config.getoption("--timed-rounds")
    CHOSEN.only = tuple(config.getoption("--timed-only"))
