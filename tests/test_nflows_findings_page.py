"""The page on what the checks find in nflows says what the tests hold it to."""

from pathlib import Path

from tests.flowkit.interop.nflows_findings import page

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "nflows-findings.md"


def test_the_page_is_the_one_that_the_findings_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
