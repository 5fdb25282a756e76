"""The contract as pytest tests.

Three lines in a test file give a test for each property of each bijector::

    from flowkit.testing.pytest import Case, contract_tests
    from my_package import MyLayer
    test_contract = contract_tests({"MyLayer": Case(MyLayer, event=(4,))})
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from flowkit.testing.case import Case, Entry
from flowkit.testing.check import as_case, check_property
from flowkit.testing.properties import PROPERTIES
from flowkit.testing.property import Property
from flowkit.testing.subject import State, Subject
from flowkit.testing.violation import NotApplicable

try:
    import pytest
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "flowkit.testing.pytest needs pytest: pip install 'flowkit-core[testing]'", name="pytest"
    ) from error

__all__ = ["Case", "contract_tests"]


def contract_tests(
    bijectors: Mapping[str, Case | Entry],
    *,
    seeds: Sequence[int] = (0, 1),
    properties: Sequence[Property[Subject]] = PROPERTIES,
) -> Callable[[str, str], None]:
    """A parametrised test of every property of every bijector, to be assigned to a name that pytest collects.

    Args:
        bijectors: name to a case, or to an entry, of which each seed draws a case.
        seeds: seeds of parameters and data; each is checked in turn.
        properties: what to check. One that a case is exempt from is skipped with its reason.

    Returns:
        The test function.

    Raises:
        ValueError: a case is exempt from an unknown property.

    Examples:
        >>> from flowkit import Squeeze
        >>> test_contract = contract_tests({"Squeeze": Case(Squeeze, event=(3, 4, 6))})
        >>> test_contract("Squeeze", "log_dets_cancel")
    """
    known = {prop.id: prop for prop in properties}
    cases = {(name, seed): as_case(bijector, seed=seed) for name, bijector in bijectors.items() for seed in seeds}

    # Tests run bijector by bijector, so a few cached subjects suffice to make each only once.
    @lru_cache(maxsize=len(seeds) * 3)
    def subject(name: str, seed: int, state: State) -> Subject:
        return Subject(cases[name, seed], seed, state)

    parameters = [pytest.param(name, prop.id, id=f"{name}-{prop.id}") for name in bijectors for prop in properties]

    @pytest.mark.parametrize(("name", "property_id"), parameters)
    def test_contract(name: str, property_id: str) -> None:
        prop = known[property_id]
        for seed in seeds[:1] if prop.once else seeds:
            if property_id in (exempt := cases[name, seed].exempt):
                pytest.skip(f"{name} is exempt from {property_id}: {exempt[property_id]}")
            for state in prop.states:
                try:
                    check_property(prop, subject(name, seed, state))
                except NotApplicable:
                    return

    return test_contract
