"""What the command tells the benchmarks, which pytest runs in a process of their own: options of pytest's.

A plugin of pytest: ``-p benchmarks.peers.options --peers-rounds 3``.
"""

from dataclasses import dataclass

import pytest

from benchmarks.peers.work import GRIDS

__all__ = ["CHOSEN", "Options", "arguments"]


@dataclass
class Options:
    """What is run, and how often."""

    works: str = "record"
    """One of :data:`~benchmarks.peers.work.GRIDS`."""
    rounds: int = 7


CHOSEN = Options()
"""Set before pytest imports the benchmarks."""


def arguments(options: Options) -> list[str]:
    """pytest's arguments for them."""
    return ["-p", __name__, f"--peers-works={options.works}", f"--peers-rounds={options.rounds}"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--peers-works", choices=list(GRIDS), default=CHOSEN.works, help="what is timed")
    parser.addoption("--peers-rounds", type=int, default=CHOSEN.rounds, help="runs of each")


def pytest_configure(config: pytest.Config) -> None:
    CHOSEN.works = config.getoption("--peers-works")
    CHOSEN.rounds = config.getoption("--peers-rounds")
