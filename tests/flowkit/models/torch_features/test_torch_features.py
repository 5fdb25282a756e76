"""The table of torch's features is true, cell by cell, and the page shows it."""

from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from flowkit.models.registry import BUILT_IN
from flowkit.testing.catalogue import CATALOGUE
from flowkit.testing.check import as_case
from tests.flowkit.models.settings import MODELS
from tests.flowkit.models.torch_features.checks import double_backward
from tests.flowkit.models.torch_features.page import page
from tests.flowkit.models.torch_features.rows import ROWS
from tests.flowkit.models.torch_features.table import FEATURES, REASONS, reason

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "torch-features.md"

CELLS = [(row, feature) for row in ROWS for feature in FEATURES]
OWN = [(row, feature) for row, feature in CELLS if not FEATURES[feature].is_proven_elsewhere(ROWS[row])]
HERE = [(row, feature) for row, feature in OWN if reason(row, feature) is None]
NOT = [(row, feature) for row, feature in CELLS if reason(row, feature) is not None]


@pytest.mark.parametrize(("row", "feature"), HERE)
def test_a_tick_holds(row: str, feature: str) -> None:
    FEATURES[feature].check(ROWS[row])


@pytest.mark.parametrize(("row", "feature"), NOT)
def test_a_reason_is_needed(row: str, feature: str) -> None:
    why = reason(row, feature)
    assert why is not None
    with pytest.raises(Exception, match=why.sign):
        FEATURES[feature].check(ROWS[row])


@pytest.mark.parametrize("row", ["jet", "tarflow"])
def test_attention_by_plain_products_has_second_derivatives(row: str) -> None:
    with sdpa_kernel(SDPBackend.MATH):
        double_backward(ROWS[row])


@pytest.mark.parametrize("feature", [name for name, feature in FEATURES.items() if feature.tests])
def test_tests_that_prove_cells_run_for_every_small_model(feature: str) -> None:
    for test in FEATURES[feature].tests:
        marks = [mark for mark in test.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
        (names,) = [mark.args[1] for mark in marks if mark.args[0] == "name"]
        assert set(names) == set(MODELS)


@pytest.mark.parametrize("row", ROWS)
def test_rows_refer_to_models_and_layers_of_their_kind(row: str) -> None:
    one = ROWS[row]
    assert not one.listed or MODELS[one.listed][0] == one.model[0]
    checked = {type(part) for entry in one.entries for part in as_case(CATALOGUE[entry]).make().modules()}
    used = {type(part) for part in one.flow.bijector.modules() if type(part).__module__.startswith("flowkit.")}
    assert used - checked == set()


def test_every_model_has_a_row() -> None:
    assert {row.model[0] for row in ROWS.values()} == set(BUILT_IN)


def test_every_reason_is_of_cells() -> None:
    for why in REASONS:
        assert set(why.rows) <= set(ROWS)
        assert set(why.features) <= set(FEATURES)


def test_the_page_is_the_one_that_the_table_makes() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.fixture(autouse=True)
def _a_new_compiler() -> None:
    torch.compiler.reset()
