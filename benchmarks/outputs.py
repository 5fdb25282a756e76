"""The options that every benchmark's command has: where its record and its page are."""

import argparse
from pathlib import Path

from benchmarks import record as records

__all__ = ["DOCS", "add_outputs"]

DOCS = Path(__file__).parents[1] / "docs"


def add_outputs(command: argparse.ArgumentParser, name: str, instead: str) -> None:
    """Add ``--tables-only``, ``--out`` and ``--page``.

    Args:
        command: the command's parser.
        name: the command, after which record and page are called.
        instead: what ``--tables-only`` is told to do.
    """
    command.add_argument("--tables-only", action="store_true", help=instead)
    command.add_argument("--out", type=Path, default=records.RESULTS, help="folder of the record; default %(default)s")
    command.add_argument("--page", type=Path, default=DOCS / "benchmarks" / f"{name}.md", help="default %(default)s")
