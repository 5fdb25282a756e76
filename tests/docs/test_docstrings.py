"""The check that fails the documentation's build for a public name that is not fully documented."""

import inspect
from pathlib import Path
from typing import Any

import pytest
from docstrings import SECTIONS, Waiver, has_docstring, missing, problems, public_names, read_waivers

DOCS = Path(__file__).parents[2] / "docs"


class Complete:
    """A map of this test: :math:`z = a x`.

    Args:
        a: the factor, for ``batch x event``.

    Raises:
        ValueError: it is zero.

    References:
        Nobody, "Nothing", 2000.

    Examples:
        >>> 1 + 1
        2
    """


# As if it were public: what is checked are classes and functions of the packages.
Complete.__module__ = "flowkit.complete"

CUTS = {
    "formula": (":math:`z = a x`", "z = a x"),
    "shapes": ("``batch x event``", "numbers"),
    "raises": ("Raises:\n", "It raises:\n"),
    "references": ("References:\n", "See:\n"),
    "examples": (">>> ", "--- "),
    "summary": ("A map of this test: :math:`z = a x`.", "A map of this test: :math:`z = a x`"),
}


def without(section: str) -> type:
    old, new = CUTS[section]
    text = Complete.__doc__ or ""
    assert old in text
    return type("Incomplete", (), {"__doc__": text.replace(old, new), "__module__": "flowkit.incomplete"})


def test_every_section_can_be_missing() -> None:
    assert set(CUTS) == set(SECTIONS)


def test_a_complete_docstring_passes() -> None:
    assert missing(Complete) == []
    assert list(problems([("flowkit.Complete", Complete)], [])) == []


@pytest.mark.parametrize("section", CUTS)
def test_what_lacks_a_section_is_named(section: str) -> None:
    assert missing(without(section)) == [section]
    assert list(problems([("flowkit.Bad", without(section))], [])) == [f"flowkit.Bad: its docstring lacks {section}"]


def test_a_docstring_that_is_inherited_does_not_count() -> None:
    heir = type("Heir", (Complete,), {"__module__": "flowkit.heir"})
    assert missing(heir) == list(SECTIONS)


def test_a_class_may_document_a_section_at_a_method() -> None:
    def method(self: Any) -> None:
        """Do it.

        Raises:
            ValueError: never.
        """

    bad = without("raises")
    bad.method = method  # type: ignore[attr-defined]
    assert missing(bad) == []


class TestWaivers:
    @pytest.mark.parametrize("section", CUTS)
    def test_a_needed_one_is_silent(self, section: str) -> None:
        waiver = Waiver(("flowkit.Bad",), (section,), "a reason")
        assert list(problems([("flowkit.Bad", without(section))], [waiver])) == []

    def test_one_that_is_not_needed_is_a_problem(self) -> None:
        waiver = Waiver(("flowkit.Complete",), ("raises",), "a reason")
        (problem,) = problems([("flowkit.Complete", Complete)], [waiver])
        assert problem == "flowkit.Complete: raises is waived, but is there, or the name is gone: take the waiver back"

    def test_one_for_a_name_that_is_gone_is_a_problem(self) -> None:
        (problem,) = problems([], [Waiver(("flowkit.Gone",), ("raises",), "a reason")])
        assert problem.startswith("flowkit.Gone: raises is waived")

    def test_one_given_twice_is_a_problem(self) -> None:
        waiver = Waiver(("flowkit.Bad",), ("raises",), "a reason")
        assert list(problems([("flowkit.Bad", without("raises"))], [waiver, waiver])) == [
            "flowkit.Bad: raises is waived twice"
        ]

    def test_one_without_a_reason_is_a_problem(self) -> None:
        (problem,) = problems([("flowkit.Bad", without("raises"))], [Waiver(("flowkit.Bad",), ("raises",), " ")])
        assert "gives no reason" in problem

    def test_one_for_a_section_that_there_is_not_is_a_problem(self) -> None:
        (problem,) = problems([], [Waiver(("flowkit.Bad",), ("colour",), "a reason")])
        assert "'colour' is waived; there are the sections" in problem


def test_every_public_name_is_fully_documented() -> None:
    assert list(problems(public_names(), read_waivers(DOCS / "waivers.toml"))) == []


def test_constants_and_type_aliases_need_no_docstring() -> None:
    named = dict(public_names())
    assert not has_docstring(named["flowkit.bijectors.REAL_LINE"])
    assert not has_docstring(named["flowkit.bijectors.Shape"])
    assert has_docstring(named["flowkit.Chain"])
    assert inspect.isclass(named["flowkit.Chain"])
