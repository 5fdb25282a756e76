"""What is behind the cells of the feature table holds, and the page shows them."""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

import flowkit
from tests.docs.feature_table.cells import LIBRARIES, Code, Fails, File
from tests.docs.feature_table.checker import why_not
from tests.docs.feature_table.libraries import DISTRIBUTIONS, PACKAGES, SETUP
from tests.docs.feature_table.page import page
from tests.docs.feature_table.rows import SECTIONS

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "feature-table.md"
ROWS = {row.feature: row for rows in SECTIONS.values() for row in rows}


def sources(library: str) -> Path:
    """The folder that an installed library lies in."""
    spec = find_spec(PACKAGES[library][0])
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parents[1]


@pytest.mark.parametrize("library", SETUP)
@pytest.mark.parametrize("feature", ROWS)
def test_a_cell_is_right(feature: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if library == "zuko":
        # As importing zuko sets it; tests with Pyro, in the same process before, set it back.
        monkeypatch.setattr(torch.distributions.Distribution, "_validate_args", False)
    assert why_not(library, ROWS[feature].cells()[library], sources(library)) is None


@pytest.mark.parametrize("library", [library for library in LIBRARIES if library not in SETUP])
def test_what_is_not_installed_was_read(library: str) -> None:
    assert not any(isinstance(row.cells()[library], Code | Fails) for row in ROWS.values())


def test_releases_are_those_that_are_installed() -> None:
    assert DISTRIBUTIONS["flowkit"]["flowkit-core"] == flowkit.__version__
    for library in set(SETUP) - {"flowkit"}:
        assert {name: version(name) for name in DISTRIBUTIONS[library]} == DISTRIBUTIONS[library]


def test_every_row_tells_libraries_apart_and_none_stands_twice() -> None:
    assert len(ROWS) == sum(len(rows) for rows in SECTIONS.values())
    for row in ROWS.values():
        assert any(isinstance(cell, Code | File) for cell in row.cells().values()), row.feature


def test_the_page_is_the_one_that_the_rows_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
