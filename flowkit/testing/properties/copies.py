"""Copies are equal and independent; changed parameters take effect."""

import copy
import io
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from flowkit.bijector import Bijector
from flowkit.testing.properties.tolerances import EXACT, ROUNDING
from flowkit.testing.property import HOLDS, Measurement, Property
from flowkit.testing.subject import Sample, Subject, perturb
from flowkit.testing.values import difference, equal
from flowkit.testing.violation import ContractViolation, NotApplicable

__all__ = ["PROPERTIES"]

AnyBijector = Bijector[Any, Any]
BECAUSE = "a copy runs the same operations on the same numbers: nothing is rounded anew"


def _results(bijector: AnyBijector, sample: Sample) -> tuple[Any, Any]:
    with torch.no_grad():
        return tuple(bijector(sample.x, sample.context)), tuple(bijector.inverse(sample.z, sample.context))


def _saved_and_loaded(state: dict[str, Any]) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def _state_dict(subject: Subject) -> Iterator[Measurement]:
    sample = subject.sample()
    expected = _results(subject.bijector, sample)
    used = subject.sibling.again()
    _results(used, sample)
    for other, name in ((subject.fresh(), "a new bijector"), (used, "one that has run before")):
        other.load_state_dict(_saved_and_loaded(subject.bijector.state_dict()))
        if not equal(_results(other, sample), expected):
            raise ContractViolation(f"after load_state_dict, {name} gives other numbers than the one that was saved")
        yield HOLDS


def _without_values(subject: Subject) -> Iterator[Measurement]:
    sample = subject.sample()
    expected, state = _results(subject.bijector, sample), subject.bijector.state_dict()
    emptied, assigned = subject.fresh().to("meta"), subject.fresh().to("meta")
    with _garbage_in_new_memory():
        emptied.to_empty(device="cpu")
    emptied.load_state_dict(state)
    assigned.load_state_dict(copy.deepcopy(state), assign=True)
    for other, how in ((emptied, "to_empty and load_state_dict"), (assigned, "load_state_dict(assign=True)")):
        if not equal(_results(other, sample), expected):
            raise ContractViolation(
                f"a bijector from the meta device gives other numbers after {how}: a tensor that is not in the state "
                "dict has lost its values; register it by flowkit.constants.WithConstants, or save it"
            )
        yield HOLDS


@contextmanager
def _garbage_in_new_memory() -> Iterator[None]:
    """Fill new memory with NaN and the largest integers, where there might by chance be the right numbers."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def _copies(make: Callable[[AnyBijector], AnyBijector], name: str) -> Callable[[Subject], Iterator[Measurement]]:
    def measure(subject: Subject) -> Iterator[Measurement]:
        sample, original = subject.sample(), subject.bijector
        expected = _results(original, sample)
        other = make(original)
        if not equal(_results(other, sample), expected):
            raise ContractViolation(f"the {name} gives other numbers than the original")
        perturb(other, subject.case.deviation, torch.Generator().manual_seed(subject.seed))
        if not equal(_results(original, sample), expected):
            raise ContractViolation(f"the original changes with its {name}")
        loaded = subject.fresh()
        loaded.load_state_dict(other.state_dict())
        if not equal(_results(other, sample), _results(loaded, sample)):
            raise ContractViolation(f"the {name} keeps results of parameters that it no longer has")
        yield HOLDS

    return measure


def _updates(subject: Subject) -> Iterator[Measurement]:
    sample, bijector = subject.sample(), subject.again()
    if not list(bijector.parameters()):
        raise NotApplicable("it has no parameters")
    _results(bijector, sample)
    with torch.no_grad():
        z, _ = bijector(sample.x, sample.context)
    perturb(bijector, subject.case.deviation, torch.Generator().manual_seed(subject.seed + 1))
    loaded = subject.fresh()
    loaded.load_state_dict(bijector.state_dict())
    # The very tensor that forward returned: a cache keyed by it would give back the old input.
    what = "inverse of what forward gave before the parameters were changed"
    with torch.no_grad():
        got, expected = (tuple(one.inverse(z, sample.context)) for one in (bijector, loaded))
    yield Measurement(difference(got, expected, what), f"{what} against a new bijector with these parameters")
    for got, expected, name in zip(
        _results(bijector, sample), _results(loaded, sample), ("forward", "inverse"), strict=True
    ):
        what = f"{name} after its parameters were changed in place"
        yield Measurement(difference(got, expected, what), f"{what} against a new bijector with these parameters")


PROPERTIES = (
    Property(
        "state_dict",
        "A state dict, saved and loaded, makes a new bijector and one that has run before the same as the saved one.",
        EXACT,
        BECAUSE,
        _state_dict,
    ),
    Property(
        "meta_device",
        "Moved to the meta device, where nothing has a value, and filled by a state dict (after to_empty, or with "
        "assign=True), a bijector is the same as the saved one.",
        EXACT,
        BECAUSE,
        _without_values,
        states=("perturbed",),
    ),
    Property(
        "deepcopy",
        "A deep copy gives the same numbers, and neither follows when the other's parameters change.",
        EXACT,
        BECAUSE,
        _copies(copy.deepcopy, "deep copy"),
    ),
    Property(
        "pickle",
        "A pickled and unpickled bijector gives the same numbers, and neither follows when the other changes.",
        EXACT,
        BECAUSE,
        _copies(lambda bijector: pickle.loads(pickle.dumps(bijector)), "pickled copy"),
    ),
    Property(
        "updates_take_effect",
        "Parameters that are changed in place, as an optimiser does, take effect in both directions: no stale cache.",
        ROUNDING,
        "a new bijector runs the same operations on the same numbers; a stale result is off by as much as they moved",
        _updates,
        states=("perturbed",),
    ),
)
