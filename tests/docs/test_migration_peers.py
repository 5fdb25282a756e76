"""The migration pages' rows, run: what stands in each cell as code, on both sides where the peer is installed."""

import inspect
import re
from pathlib import Path
from typing import Any

import FrEIA.modules
import normflows.flows
import pytest
import torch
import zuko.distributions
import zuko.flows
import zuko.transforms

import flowkit

# Those of the peers.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    peer: (DOCS / f"migration-{peer}.md").read_text(encoding="utf-8") for peer in ("zuko", "normflows", "freia", "tfp")
}
# Not installed here, and the page says so: its own side is not run.
NOT_RUN = {"tfp"}


def setup(page: str) -> str:
    """The page's first block of Python, which names what the cells use."""
    return re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[0]  # type: ignore[no-any-return]


def rows(page: str) -> list[list[str]]:
    lines = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("|")]
    # Headings, and the lines under them.
    return [[cell.strip() for cell in cells] for cells in lines if "---" not in cells[0] and "`" in cells[0] + cells[1]]


ROWS = [(peer, cells) for peer, page in PAGES.items() for cells in rows(page)]
NAMESPACES: dict[str, dict[str, Any]] = {}


def namespace(peer: str) -> dict[str, Any]:
    if peer not in NAMESPACES:
        NAMESPACES[peer] = {}
        exec(compile(setup(PAGES[peer]), f"migration-{peer}.md", "exec"), NAMESPACES[peer])
    return dict(NAMESPACES[peer])


@pytest.fixture(autouse=True)
def unvalidated(monkeypatch: pytest.MonkeyPatch) -> None:
    # One of zuko's distributions names a parameter that it lacks, which torch's validation stumbles over.
    monkeypatch.setattr(torch.distributions.Distribution, "_validate_args", False)


@pytest.mark.parametrize(("peer", "cells"), ROWS, ids=[f"{peer}-{i}" for i, (peer, _) in enumerate(ROWS)])
def test_every_row_runs(peer: str, cells: list[str]) -> None:
    theirs, ours, *_ = cells
    names = namespace(peer)
    for side, cell in (("theirs", theirs), ("ours", ours)):
        if side == "theirs" and peer in NOT_RUN:
            continue
        for code in re.findall(r"`([^`]+)`", re.sub(r"\{\w+\}`[^`]*`", "", cell)):
            exec(compile(code, f"migration-{peer}.md, {side}", "exec"), names)


def test_every_page_has_rows_on_both_sides() -> None:
    for peer, page in PAGES.items():
        assert len([cells for cells in rows(page) if "`" in cells[0] and "`" in cells[1]]) >= 20, peer
    assert "not installed" in PAGES["tfp"]


def test_names_in_references_are_flowkits() -> None:
    for page in PAGES.values():
        for name in re.findall(r"\{(?:class|func|meth)\}`~?flowkit\.([\w.]+)`", page):
            value: Any = flowkit
            for part in name.split("."):
                value = getattr(value, part)


@pytest.mark.parametrize(
    ("peer", "module", "left_out"),
    [
        ("zuko", zuko.flows, set()),
        ("zuko", zuko.transforms, set()),
        ("zuko", zuko.distributions, set()),
        ("normflows", normflows.flows, {"Flow"}),
        # Deprecated names of Split and Concat among them.
        ("freia", FrEIA.modules, {"InvertibleModule", "Split1D", "SplitChannel", "Concat1d", "ConcatChannel"}),
    ],
)
def test_no_public_name_of_a_peer_is_left_out(peer: str, module: Any, left_out: set[str]) -> None:
    names = {
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__.startswith(module.__name__) and not name.startswith("_")
    }
    assert len(names) > 5
    assert sorted(name for name in names - left_out if not re.search(rf"\b{name}\b", PAGES[peer])) == []
