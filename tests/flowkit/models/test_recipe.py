from torch import nn

from flowkit.models.recipe import Recipe, recipe_of
from flowkit.models.registry import create_model


def test_models_remember_how_they_were_made() -> None:
    model = create_model("maf", features=2, hidden=(4,))
    assert recipe_of(model) == Recipe("maf", {"features": 2, "hidden": (4,)})


def test_other_modules_have_none() -> None:
    assert recipe_of(nn.Linear(1, 1)) is None
    # A plugin's model may use the name for something of its own.
    module = nn.Module()
    module.recipe = nn.Linear(1, 1)
    assert recipe_of(module) is None


def test_later_changes_of_the_settings_do_not_matter() -> None:
    hidden: list[int] = [4]
    model = create_model("maf", features=2, hidden=hidden)
    hidden.append(5)
    assert recipe_of(model) == Recipe("maf", {"features": 2, "hidden": [4]})
