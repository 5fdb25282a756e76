"""Every bijector of flowkit against every property, as it is and turned round; random compositions of them too."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from flowkit.testing import PROPERTIES, Case, ContractViolation, Entry, Property, inverted
from flowkit.testing.catalogue import CATALOGUE
from flowkit.testing.catalogue.compositions import IMAGE_COMPOSITION, MULTI_SCALE, VECTOR_COMPOSITION
from flowkit.testing.check import as_case, check_property
from flowkit.testing.pytest import contract_tests
from flowkit.testing.subject import Subject
from flowkit.testing.values import is_nested

# Turned round, or composed anew, the graphs are those that were captured before.
UNCOMPILED = [prop for prop in PROPERTIES if prop.id != "compile"]
# Turned round, the start is another one, from latents; training tells nothing that it does not tell in the catalogue.
UNTRAINED = [replace(prop, states=tuple(s for s in prop.states if s != "trained")) for prop in UNCOMPILED]
BY_ID = {prop.id: prop for prop in PROPERTIES}
RANDOM = {
    "composition of images": IMAGE_COMPOSITION,
    "composition of vectors": VECTOR_COMPOSITION,
    "multi-scale composition": MULTI_SCALE,
}

test_catalogue = contract_tests(CATALOGUE, seeds=(0,))
test_catalogue_turned_round = contract_tests(
    {name: inverted(entry) for name, entry in CATALOGUE.items()}, seeds=(0,), properties=UNTRAINED
)
# The first seed is the catalogue's.
test_random_flows = contract_tests(RANDOM, seeds=range(1, 6), properties=UNCOMPILED)


def drawn() -> Iterator[Case]:
    for entry in CATALOGUE.values():
        yield as_case(entry)
        yield as_case(inverted(entry))


def test_the_sizes_that_are_drawn_are_uneven() -> None:
    images = [case.event for case in drawn() if not is_nested(case.event) and len(case.event) == 3]
    vectors = [case.event for case in drawn() if not is_nested(case.event) and len(case.event) == 1]
    assert sum(height != width for _, height, width in images) > len(images) / 3
    assert sum(channels % 2 == 1 and channels > 1 for channels, _, _ in images) > len(images) / 5
    assert sum(features % 2 == 1 and features > 1 for (features,) in vectors) > len(vectors) / 5


def test_a_batch_of_one_and_no_batch_are_claimed_throughout() -> None:
    for name, entry in CATALOGUE.items():
        assert {(), (1,), (2, 2)} <= set(as_case(entry).batches), name


EXEMPT = [
    (name, property_id)
    for name, entry in CATALOGUE.items()
    for property_id in sorted({key for seed in range(3) for key in as_case(entry, seed=seed).exempt})
]


@pytest.mark.parametrize(("name", "property_id"), EXEMPT)
def test_exemptions_are_needed(name: str, property_id: str) -> None:
    """What would pass is to be checked."""
    prop, entry = BY_ID[property_id], CATALOGUE[name]
    assert not all(holds(prop, Subject(as_case(entry, seed=seed))) for seed in range(10))


def holds(prop: Property[Subject], subject: Subject) -> bool:
    try:
        check_property(prop, subject)
    except ContractViolation:
        return False
    return True


def test_entries_make_the_same_architecture_each_time() -> None:
    for name, entry in CATALOGUE.items():
        case = as_case(entry)
        with torch.random.fork_rng(devices=[]):
            one, other = case.make(), case.make()
        shapes = [{key: value.shape for key, value in bijector.state_dict().items()} for bijector in (one, other)]
        assert shapes[0] == shapes[1], name


def test_entries_say_what_they_are() -> None:
    for name, entry in CATALOGUE.items():
        assert isinstance(entry, Entry)
        assert entry.term, name
        assert any(character.isdigit() for character in entry.paper), name
        assert entry.build(random.Random(0).randint).event
