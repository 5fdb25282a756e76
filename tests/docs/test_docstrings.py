"""The check that fails the documentation's build for a public name that is not fully documented."""

import inspect
from typing import Any

import docstrings
import pytest
import torch
from docstrings import EXCEPTIONS, SECTIONS, has_docstring, is_mathematics, missing, problems, public_names, required
from torch import Tensor

from flowkit import Bijector
from flowkit.transforms import FixedTransform


class Complete(Bijector[Tensor, Tensor]):
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

    def __init__(self, a: float) -> None:
        if not a:
            raise ValueError("a is 0")

    def _forward(self, x: Tensor, prepared: object) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def _inverse(self, z: Tensor, prepared: object) -> tuple[Tensor, Tensor]:
        raise NotImplementedError


CUTS = {
    "formula": (":math:`z = a x`", "z = a x"),
    "shapes": ("``batch x event``", "numbers"),
    "raises": ("Raises:\n", "It raises:\n"),
    "references": ("References:\n", "See:\n"),
    "examples": (">>> ", "--- "),
    "summary": ("A map of this test: :math:`z = a x`.", "A map of this test: :math:`z = a x`"),
}


@pytest.fixture(autouse=True)
def _these_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    # What is checked are classes and functions of the packages.
    monkeypatch.setattr(docstrings, "PACKAGES", (*docstrings.PACKAGES, "tests"))


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Any:
    def cut(section: str) -> type:
        old, new = CUTS[section]
        text = Complete.__doc__ or ""
        assert old in text
        monkeypatch.setattr(Complete, "__doc__", text.replace(old, new))
        return Complete

    return cut


def test_every_section_can_be_missing() -> None:
    assert set(CUTS) == set(SECTIONS) == set(required(Complete))


def test_a_complete_docstring_passes() -> None:
    assert missing(Complete) == []
    assert list(problems([("flowkit.Complete", Complete)], {})) == []


@pytest.mark.parametrize("section", CUTS)
def test_what_lacks_a_section_is_named(section: str, without: Any) -> None:
    bad = without(section)
    assert missing(bad) == [section]
    assert list(problems([("flowkit.Bad", bad)], {})) == [f"flowkit.Bad: its docstring lacks {section}"]


def test_a_class_may_document_a_section_at_a_method(without: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def method(self: Any) -> None:
        """Do it.

        Raises:
            ValueError: never.
        """

    bad = without("raises")
    monkeypatch.setattr(bad, "method", method, raising=False)
    assert missing(bad) == []


class Undocumented(Bijector[Tensor, Tensor]):
    def _forward(self, x: Tensor, prepared: object) -> tuple[Tensor, Tensor]:
        return x, x.sum(-1)

    _inverse = _forward


class Cube(FixedTransform):
    def _forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x

    _inverse = _forward


class Settings:
    sizes: tuple[int, ...]


class Network(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        """Run it."""
        return x


def loss(x: Tensor) -> Tensor:
    return x


loss.__module__ = "flowkit.flow"


def helper(names: list[str]) -> None:
    raise ValueError(names)


@pytest.mark.parametrize(
    ("value", "sections"),
    [
        (Undocumented, ["summary", "formula", "shapes", "references", "examples"]),
        (Cube, ["summary", "formula", "references", "examples"]),
        (loss, ["summary", "formula", "shapes", "references", "examples"]),
        (Network, ["summary", "shapes", "examples"]),
        (Settings, ["summary"]),
        (helper, ["summary"]),
    ],
)
def test_what_is_asked_depends_on_the_kind(value: Any, sections: list[str]) -> None:
    # A base class's docstring does not count: each of these lacks all that is asked of it.
    assert required(value) == sections
    assert missing(value) == sections


def test_the_kinds_are_told_apart() -> None:
    named = dict(public_names())
    kinds = ("Coupling", "Affine", "Gaussian", "Flow", "bits_per_dim", "glow", "UniformDequantization")
    assert all(is_mathematics(named[f"flowkit.{name}"]) for name in kinds)
    assert is_mathematics(named["flowkit.interop.torch_distributions.FlowDistribution"])
    others = ("flowkit.MLP", "flowkit.create_model", "flowkit.testing.check_bijector", "flowkit_deflow.Domain")
    assert not any(is_mathematics(named[name]) for name in others)


class TestExceptions:
    @pytest.mark.parametrize("section", CUTS)
    def test_a_needed_one_is_silent(self, section: str, without: Any) -> None:
        assert list(problems([("flowkit.Bad", without(section))], {"flowkit.Bad": (section,)})) == []

    def test_one_that_is_not_needed_is_a_problem(self) -> None:
        (problem,) = problems([("flowkit.Complete", Complete)], {"flowkit.Complete": ("raises",)})
        assert problem.startswith("flowkit.Complete: raises is excepted, but is there")

    def test_one_for_a_name_that_is_gone_is_a_problem(self) -> None:
        (problem,) = problems([], {"flowkit.Gone": ("raises",)})
        assert problem.startswith("flowkit.Gone: raises is excepted")

    def test_they_stay_few(self) -> None:
        assert len(EXCEPTIONS) < 15


def test_every_public_name_is_fully_documented() -> None:
    assert list(problems(public_names())) == []


def test_a_name_is_listed_where_it_is_public_first() -> None:
    names = [name for name, _ in public_names()]
    assert "flowkit.Coupling" in names
    assert "flowkit.bijectors.Coupling" not in names
    assert "flowkit.bijectors.Wrapper" in names
    assert len(set(names)) == len(names)


def test_constants_and_type_aliases_need_no_docstring() -> None:
    named = dict(public_names())
    assert not has_docstring(named["flowkit.bijectors.REAL_LINE"])
    assert not has_docstring(named["flowkit.bijectors.Shape"])
    assert has_docstring(named["flowkit.Chain"])
    assert inspect.isclass(named["flowkit.Chain"])
