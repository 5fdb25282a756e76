"""Plugins are found through the metadata of installed packages: these tests write such metadata."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

import flowkit

Install = Callable[[str, str, str], None]

MODULE = """
from torch import nn
from flowkit import Plugin, Squeeze


def tiny(width=2):
    return nn.Linear(1, width)


plugin = Plugin(models={"tiny-b": tiny, "tiny-a": nn.Identity}, bijectors={"squeeze": Squeeze})
other = Plugin(models={"large": nn.Identity})
wrong = "not a plugin"
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Add a package to a path that has no other ones, so that what is installed here does not matter."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    names = []

    def add(name: str, module: str, entry_points: str) -> None:
        (tmp_path / f"{name}.py").write_text(module)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[flowkit.plugins]\n{entry_points}\n")
        names.append(name)

    yield add
    for name in names:
        sys.modules.pop(name, None)


def test_without_plugins_it_says_so(install: Install) -> None:
    assert flowkit.plugins() == {}
    assert flowkit.list_models() == []
    with pytest.raises(KeyError, match=r"model 'tiny' is offered by no installed plugin; there are: none\."):
        flowkit.create_model("tiny")


def test_an_installed_plugin_is_found(install: Install) -> None:
    install("fk_test_one", MODULE, "demo = fk_test_one:plugin")
    found = flowkit.plugins()
    assert list(found) == ["demo"]
    assert flowkit.list_models() == ["tiny-a", "tiny-b"]
    z, _ = found["demo"].bijectors["squeeze"]()(torch.rand(1, 1, 2, 2))
    assert z.shape == (1, 4, 1, 1)


def test_models_are_built_from_settings(install: Install) -> None:
    install("fk_test_one", MODULE, "demo = fk_test_one:plugin")
    model = flowkit.create_model("tiny-b", width=5)
    assert isinstance(model, nn.Linear)
    assert model.out_features == 5
    assert isinstance(flowkit.create_model("tiny-a"), nn.Identity)
    with pytest.raises(TypeError, match="depth"):
        flowkit.create_model("tiny-b", depth=1)


def test_several_plugins_are_told_apart(install: Install) -> None:
    install("fk_test_one", MODULE, "demo = fk_test_one:plugin")
    install("fk_test_two", MODULE, "more = fk_test_two:other")
    assert sorted(flowkit.plugins()) == ["demo", "more"]
    assert flowkit.list_models() == ["large", "tiny-a", "tiny-b"]


def test_an_unknown_name_gets_a_hint(install: Install) -> None:
    install("fk_test_one", MODULE, "demo = fk_test_one:plugin")
    with pytest.raises(KeyError, match=r"did you mean 'tiny-a'\?"):
        flowkit.create_model("tinya")
    with pytest.raises(KeyError, match=r"there are: tiny-a, tiny-b\."):
        flowkit.create_model("zzzzz")


def test_anything_but_a_plugin_is_refused(install: Install) -> None:
    install("fk_test_one", MODULE, "bad = fk_test_one:wrong")
    with pytest.raises(TypeError, match=r"entry point 'bad' .* is 'not a plugin', not a flowkit\.Plugin"):
        flowkit.plugins()
