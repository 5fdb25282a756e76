"""What a command tells its benchmarks, which pytest runs in a process of their own: options of pytest's.

A plugin of pytest: ``-p benchmarks.bench_options --timed-works quick --timed-rounds 3``.
"""

from dataclasses import dataclass

import pytest

__all__ = ["CHOSEN", "Options", "arguments"]


@dataclass
class Options:
    """What is run, and how often."""

    works: str = "record"
    """The name of a set of works, of which each command has its own."""
    rounds: int = 7


CHOSEN = Options()
"""Set before pytest imports the benchmarks."""


def arguments(options: Options) -> list[str]:
    """pytest's arguments for them."""
    return ["-p", __name__, f"--timed-works={options.works}", f"--timed-rounds={options.rounds}"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--timed-works", default=CHOSEN.works, help="what is timed")
    parser.addoption("--timed-rounds", type=int, default=CHOSEN.rounds, help="runs of each")


def pytest_configure(config: pytest.Config) -> None:
    CHOSEN.works = config.getoption("--timed-works")
    CHOSEN.rounds = config.getoption("--timed-rounds")
