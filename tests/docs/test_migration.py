"""The table of nflows' names, held against both libraries."""

import inspect
import re
from pathlib import Path
from typing import Any

import nflows.distributions
import nflows.flows
import nflows.nn.nets
import nflows.transforms
import pytest

import flowkit

PAGE = (Path(__file__).parents[2] / "docs" / "migration.md").read_text(encoding="utf-8")
ROWS = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith("|")]
NAMED = {name for row in ROWS for name in re.findall(r"[A-Za-z]\w+…?", row[0])}
# Families of splines are abbreviated: what is left out stands in the row's first name.
ABBREVIATED = re.compile(r"^(Masked)?Piecewise(Linear|Quadratic|Cubic)(CouplingTransform|AutoregressiveTransform|CDF)$")


def classes(module: Any) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__.startswith("nflows") and not name.startswith("_")
    ]


@pytest.mark.parametrize("module", [nflows.transforms, nflows.distributions, nflows.flows, nflows.nn.nets])
def test_every_public_class_of_nflows_is_in_the_table(module: Any) -> None:
    names = classes(module)
    assert names
    assert [name for name in names if name not in NAMED and not ABBREVIATED.match(name)] == []


def test_the_abbreviated_rows_are_there() -> None:
    first = [row[0] for row in ROWS]
    for ending in ("CouplingTransform", "AutoregressiveTransform", "CDF"):
        assert any("Linear" in cell and "Quadratic" in cell and f"Cubic{ending}" in cell for cell in first), ending


def test_names_of_flowkit_are_flowkits() -> None:
    called = re.findall(r"\{(?:class|func)\}`~flowkit\.(\w+)`", PAGE)
    assert len(called) > 30
    assert [name for name in called if name not in flowkit.__all__] == []
    written = {name for row in ROWS for name in re.findall(r"`(\w+)\(", row[1])}
    assert {name for name in written if name[0].isupper() and not hasattr(flowkit, name)} == set()
