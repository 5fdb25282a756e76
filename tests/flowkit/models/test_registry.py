"""Plugins are found through the metadata of installed packages: the fixture writes such metadata."""

import re
from pathlib import Path

import pytest
from torch import nn

from flowkit.bijectors.permutation import Reversal
from flowkit.distributions.standard_normal import StandardNormal
from flowkit.flow import Flow
from flowkit.models import registry
from flowkit.models.named.maf import maf
from flowkit.models.registry import BUILT_IN, create_model, list_models, register_model
from flowkit.models.storage import load_model, save_model
from tests.flowkit.installed import Install

MODULE = """
from torch import nn
from flowkit import Plugin


def tiny(width=2):
    return nn.Linear(1, width)


def picky(size, **others):
    raise ValueError(f"size is {size}")


plugin = Plugin(models={"tiny-b": tiny, "tiny-a": nn.Identity, "picky": picky, "none": lambda: None})
other = Plugin(models={"large": nn.Identity})
shadow = Plugin(models={"maf": nn.Identity, "tiny-b": nn.Identity})
"""


def test_without_plugins_there_are_flowkit_s_own(install: Install) -> None:
    assert list_models() == sorted(BUILT_IN)
    assert isinstance(create_model("maf", features=2), Flow)


def test_the_plugins_models_stand_beside_them(install: Install) -> None:
    install("fk_test_one", MODULE, "demo = fk_test_one:plugin")
    install("fk_test_two", MODULE, "more = fk_test_two:other")
    assert list_models() == sorted([*BUILT_IN, "tiny-a", "tiny-b", "picky", "none", "large"])
    model = create_model("tiny-b", width=5)
    assert isinstance(model, nn.Linear)
    assert model.out_features == 5
    assert isinstance(create_model("large"), nn.Identity)


def test_unknown_names_get_a_hint(install: Install) -> None:
    install("fk_test_one", MODULE, "demo = fk_test_one:plugin")
    with pytest.raises(KeyError, match=r"there is no model 'tinya'; did you mean 'tiny-a'\?"):
        create_model("tinya")
    with pytest.raises(KeyError, match=r"did you mean 'realnvp'\?"):
        create_model("real_nvp")
    with pytest.raises(KeyError, match=r"there are: .*, glow, .*, tiny-a, tiny-b"):
        create_model("zzzzz")


def test_unknown_and_missing_settings_are_refused_with_those_that_there_are() -> None:
    accepted = re.escape("its settings are: features, layers=5, hidden=(64, 64), context_features=0")
    with pytest.raises(TypeError, match=f"model 'maf' cannot be built: .*'feature'.*; {accepted}"):
        create_model("maf", feature=2)
    with pytest.raises(TypeError, match=f"model 'maf' cannot be built: .*'features'.*; {accepted}"):
        create_model("maf")
    with pytest.raises(TypeError, match=f"model 'maf' cannot be built: maf: features is '2'.*; {accepted}"):
        create_model("maf", features="2")
    with pytest.raises(ValueError, match=f"model 'maf' cannot be built: features is 0; .*; {accepted}"):
        create_model("maf", features=0)


def test_settings_of_plugins_are_refused_in_the_same_way(install: Install) -> None:
    install("fk_test_one", MODULE, "demo = fk_test_one:plugin")
    with pytest.raises(TypeError, match=r"model 'tiny-b' cannot be built: .*'depth'; its settings are: width=2"):
        create_model("tiny-b", depth=1)
    with pytest.raises(ValueError, match=r"'picky' cannot be built: size is 3; its settings are: size, \*\*others"):
        create_model("picky", size=3)
    with pytest.raises(TypeError, match=r"the model 'none' built a NoneType, not a torch\.nn\.Module"):
        create_model("none")


def test_a_name_that_several_offer_is_refused_naming_them(install: Install) -> None:
    install("fk_test_one", MODULE, "demo = fk_test_one:plugin")
    install("fk_test_two", MODULE, "dark = fk_test_two:shadow")
    with pytest.raises(ValueError, match="the model 'maf' is offered by flowkit and the plugin 'dark'"):
        create_model("maf", features=2)
    with pytest.raises(ValueError, match=r"'tiny-b' is offered by the plugin '(demo|dark)' and the plugin"):
        create_model("tiny-b")
    # The others are not touched.
    assert isinstance(create_model("tiny-a"), nn.Identity)
    assert list_models().count("maf") == 1


def test_a_function_of_one_s_own_is_registered(tmp_path: Path) -> None:
    @register_model("fk test registered")
    def mine(features: int, swapped: bool = True) -> Flow:
        return Flow(Reversal(features), StandardNormal(), (features,))

    try:
        assert "fk test registered" in list_models()
        save_model(mine(3), tmp_path / "model")
        assert load_model(tmp_path / "model").event_shape == (3,)
        with pytest.raises(ValueError, match="there is a model 'fk test registered' already"):
            register_model("fk test registered")(maf)
        # Run again, as a notebook's cell is.
        register_model("fk test registered")(mine)
    finally:
        registry._registered.clear()
    with pytest.raises(ValueError, match="there is a model 'maf' already"):
        register_model("maf")(mine)
