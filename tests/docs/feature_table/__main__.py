"""Prints the feature table's page, or checks the cells that were read against unpacked wheels."""

import argparse
from pathlib import Path

from tests.docs.feature_table.checker import why_not
from tests.docs.feature_table.libraries import SETUP
from tests.docs.feature_table.page import page
from tests.docs.feature_table.rows import SECTIONS


def main() -> int:
    """The exit status is 1 if a cell is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=Path, help="folder with the unpacked wheels of flowjax, distrax and TFP")
    sources: Path | None = parser.parse_args().sources
    if sources is None:
        print(page(), end="")
        return 0
    cells = [
        (row.feature, library, cell)
        for rows in SECTIONS.values()
        for row in rows
        for library, cell in row.cells().items()
        if library not in SETUP
    ]
    wrong = [(feature, library, why) for feature, library, cell in cells if (why := why_not(library, cell, sources))]
    for feature, library, why in wrong:
        print(f"{feature}, {library}: {why}")
    print(f"{len(cells) - len(wrong)} of {len(cells)} cells are right")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
