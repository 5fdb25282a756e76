"""Plugins are found through the metadata of installed packages: the fixture writes such metadata."""

import pytest
import torch
from torch import nn

from flowkit.plugin import plugins
from flowkit.testing.case import Case
from tests.flowkit.installed import Install

MODULE = """
from torch import nn
from flowkit import Plugin, Squeeze
from flowkit.testing import Case


def tiny(width=2):
    return nn.Linear(1, width)


plugin = Plugin(models={"tiny": tiny}, bijectors={"squeeze": Case(Squeeze, event=(1, 2, 2))})
other = Plugin(models={"large": nn.Identity})
wrong = "not a plugin"
"""


def test_without_plugins_there_are_none(install: Install) -> None:
    assert plugins() == {}


def test_an_installed_plugin_is_found(install: Install) -> None:
    install("fk_test_one", MODULE, "demo = fk_test_one:plugin")
    found = plugins()
    assert list(found) == ["demo"]
    model = found["demo"].models["tiny"](width=5)
    assert isinstance(model, nn.Linear)
    assert model.out_features == 5
    case = found["demo"].bijectors["squeeze"]
    assert isinstance(case, Case)
    z, _ = case.make()(torch.rand(1, 1, 2, 2))
    assert z.shape == (1, 4, 1, 1)


def test_several_plugins_are_told_apart(install: Install) -> None:
    install("fk_test_one", MODULE, "demo = fk_test_one:plugin")
    install("fk_test_two", MODULE, "more = fk_test_two:other")
    found = plugins()
    assert sorted(found) == ["demo", "more"]
    assert list(found["more"].models) == ["large"]


def test_anything_but_a_plugin_is_refused(install: Install) -> None:
    install("fk_test_one", MODULE, "bad = fk_test_one:wrong")
    with pytest.raises(TypeError, match=r"entry point 'bad' .* is 'not a plugin', not a flowkit\.Plugin"):
        plugins()


@pytest.mark.parametrize("target", ["no_such_module:plugin", "fk_test_one:missing"])
def test_one_that_cannot_be_loaded_is_named(install: Install, target: str) -> None:
    install("fk_test_one", MODULE, f"bad = {target}")
    with pytest.raises(ImportError, match=rf"the plugin 'bad' of fk.test.one cannot be loaded from '{target}'"):
        plugins()
