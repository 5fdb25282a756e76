"""The checks are checked: every mistake is caught by the property meant for it, and what is sound is not flagged."""

import pytest

from flowkit.testing import PROPERTIES, ContractViolation, check_bijector, inverted_case
from flowkit.testing.pytest import contract_tests
from tests.flowkit.testing.broken import (
    BROKEN,
    CannotBePickled,
    ContextOfFullBatch,
    LogDetOfEachElement,
    OneBatchDimension,
    RemembersItsInput,
    SignOfTheLogDet,
    Sound,
    case,
)

BY_ID = {prop.id: prop for prop in PROPERTIES}


@pytest.mark.parametrize(("broken", "property_id"), BROKEN.items(), ids=lambda value: getattr(value, "__name__", value))
def test_a_mistake_is_caught_by_its_property(broken: type[Sound], property_id: str) -> None:
    with pytest.raises(ContractViolation, match=rf"{broken.__name__} breaks the contract: .*\n  {property_id}: "):
        check_bijector(case(broken), seeds=(0,), properties=[BY_ID[property_id]])


def test_every_property_has_a_mistake_that_it_catches() -> None:
    assert set(BROKEN.values()) == set(BY_ID)
    assert len(BROKEN) >= 20


# What the mistakes are made in is not what the checks object to.
test_the_sound_one_passes = contract_tests(
    {"Sound": case(Sound), "turned round": inverted_case(case(Sound))}, seeds=(0, 1)
)


# Of these, nothing else follows: what is sound in them is not flagged.
ALONE = (
    CannotBePickled,
    ContextOfFullBatch,
    LogDetOfEachElement,
    OneBatchDimension,
    RemembersItsInput,
    SignOfTheLogDet,
)


@pytest.mark.parametrize("broken", ALONE, ids=lambda broken: broken.__name__)
def test_a_mistake_is_told_from_others(broken: type[Sound]) -> None:
    others = [prop for prop in PROPERTIES if prop.id not in {BROKEN[broken], "compile"}]
    check_bijector(case(broken), seeds=(0,), properties=others)
