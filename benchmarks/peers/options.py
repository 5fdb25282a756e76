"""What the command tells the benchmarks, which pytest runs in a process of their own: options of pytest's.

A plugin of pytest: ``-p benchmarks.peers.options --peers-rounds 3``.
"""

from dataclasses import dataclass

import pytest

__all__ = ["CHOSEN", "Options", "arguments"]


@dataclass
class Options:
    """What is run, and how often."""

    quick: bool = False
    rounds: int = 7


CHOSEN = Options()
"""Set before pytest imports the benchmarks."""


def arguments(options: Options) -> list[str]:
    """pytest's arguments for them."""
    quick = ["--peers-quick"] if options.quick else []
    return ["-p", __name__, f"--peers-rounds={options.rounds}", *quick]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--peers-quick", action="store_true", help="works too small to compare, nothing compiled")
    parser.addoption("--peers-rounds", type=int, default=CHOSEN.rounds, help="runs of each")


def pytest_configure(config: pytest.Config) -> None:
    CHOSEN.quick = config.getoption("--peers-quick")
    CHOSEN.rounds = config.getoption("--peers-rounds")
