"""Calls are deterministic in eval mode and have no side effects."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from flowkit.testing.properties.tolerances import EXACT, YES_OR_NO
from flowkit.testing.property import HOLDS, Measurement, Property
from flowkit.testing.subject import Subject
from flowkit.testing.values import equal
from flowkit.testing.violation import ContractViolation

__all__ = ["PROPERTIES"]


def _deterministic(subject: Subject) -> Iterator[Measurement]:
    sample = subject.sample()
    results = []
    # Different states of the global generator: with equal ones, hidden draws would repeat.
    for seed in (0, 1):
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)
            forward = subject.bijector(sample.x, sample.context)
            inverse = subject.bijector.inverse(sample.z, sample.context)
        results.append((forward, inverse))
    for i, name in enumerate(("forward", "inverse")):
        if not equal(results[0][i], results[1][i]):
            raise ContractViolation(f"{name} gives other numbers when called again on the same input, in eval mode")
        yield HOLDS


def _inputs_untouched(subject: Subject) -> Iterator[Measurement]:
    given, kept = subject.sample(), subject.sample()
    with torch.no_grad():
        subject.bijector(given.x, given.context)
        subject.bijector.inverse(given.z, given.context)
    for name in ("x", "z", "context"):
        if not equal(getattr(given, name), getattr(kept, name)):
            raise ContractViolation(f"the call changed its {name} in place")
        yield HOLDS


def _state_untouched(subject: Subject) -> Iterator[Measurement]:
    bijector, sample = subject.again(), subject.sample()
    tensors = {key: value.clone() for key, value in bijector.state_dict().items()}
    attributes = _attributes(bijector)
    for recorded in (True, False):
        with torch.set_grad_enabled(recorded):
            bijector(sample.x, sample.context)
            bijector.inverse(sample.z, sample.context)
        for key, value in bijector.state_dict().items():
            if not equal(value, tensors[key]):
                raise ContractViolation(f"the call changed the parameter or buffer {key!r}")
        after = _attributes(bijector)
        changed = sorted(key for key in attributes.keys() | after.keys() if attributes.get(key) != after.get(key))
        if changed:
            raise ContractViolation(f"the call left something on self: {', '.join(changed)}")
        if any(parameter.grad is not None for parameter in bijector.parameters()):
            raise ContractViolation("the call left a gradient on a parameter")
        yield HOLDS


def _attributes(module: nn.Module) -> dict[str, Any]:
    """Attributes of all submodules: plain values, containers and objects by their contents, others by identity."""
    return {
        f"{name}.{key}".removeprefix("."): _identity(value)
        for name, part in module.named_modules()
        for key, value in vars(part).items()
    }


def _identity(value: Any, above: tuple[int, ...] = ()) -> Any:
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {key: _identity(item, above) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_identity(item, above) for item in value]
    if _may_hold_data(value) and id(value) not in above:
        return id(value), _identity(vars(value), (*above, id(value)))
    return id(value)


def _may_hold_data(value: Any) -> bool:
    """Whether a call might leave data in an object's attributes.

    Submodules are inspected on their own, and torch's own objects are trusted.
    """
    known = isinstance(value, nn.Module | type) or type(value).__module__.partition(".")[0] == "torch"
    return hasattr(value, "__dict__") and not known


def _random_state_untouched(subject: Subject) -> Iterator[Measurement]:
    sample, bijector = subject.sample(), subject.bijector
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        before = torch.get_rng_state(), random.getstate(), _numpy_state()
        bijector(sample.x, sample.context)
        bijector.inverse(sample.z, sample.context)
        after = torch.get_rng_state(), random.getstate(), _numpy_state()
    if not torch.equal(before[0], after[0]):
        raise ContractViolation("the call drew from PyTorch's global random generator")
    if before[1:] != after[1:]:
        raise ContractViolation("the call drew from the global random generator of Python or NumPy")
    yield HOLDS


def _numpy_state() -> tuple[bytes, int]:
    _, keys, position, *_ = np.random.get_state()  # noqa: NPY002 - the global state is what is inspected
    return np.asarray(keys).tobytes(), int(position)


PROPERTIES = (
    Property(
        "deterministic",
        "In eval mode, both directions give the same numbers to the last bit each time.",
        EXACT,
        YES_OR_NO,
        _deterministic,
    ),
    Property(
        "inputs_untouched",
        "Input and context keep their values.",
        EXACT,
        YES_OR_NO,
        _inputs_untouched,
    ),
    Property(
        "state_untouched",
        "Parameters, buffers and attributes keep their values; no call leaves any of its data on self.",
        EXACT,
        YES_OR_NO,
        _state_untouched,
    ),
    Property(
        "random_state_untouched",
        "The global random generators of PyTorch, Python and NumPy are not drawn from in eval mode.",
        EXACT,
        YES_OR_NO,
        _random_state_untouched,
    ),
)
