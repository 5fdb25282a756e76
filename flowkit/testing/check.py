"""Checking a bijector for every property of the contract."""

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

import torch
from torch import nn

from flowkit.bijector import Bijector, Shape
from flowkit.testing.case import Case, Entry
from flowkit.testing.properties import PROPERTIES
from flowkit.testing.property import Property
from flowkit.testing.report import Report, Row
from flowkit.testing.subject import State, Subject
from flowkit.testing.values import is_nested
from flowkit.testing.violation import ContractViolation, NotApplicable

__all__ = ["Checkable", "as_case", "check_bijector", "check_property", "example_of", "run_checks"]

S = TypeVar("S")

# What can be checked: a bijector, or something that makes one.
Checkable = Case | Entry | Bijector[Any, Any] | Callable[[], Bijector[Any, Any]]


def check_bijector(
    bijector: Checkable,
    event: Shape | None = None,
    context: Shape | None = None,
    *,
    seeds: Sequence[int] = (0, 1),
    properties: Sequence[Property[Subject]] = PROPERTIES,
    exempt: Mapping[str, str] | None = None,
) -> Report:
    """Check a bijector for every property of the contract.

    Args:
        bijector: a class or function without arguments that makes it, or an instance (of which copies are checked); or
            a :class:`Case`, or an :class:`Entry`, of which each seed draws a case.
        event: event shape of ``forward``'s input; not for a case or an entry, which have theirs.
        context: event shape of the context; ``None`` for an unconditional bijector.
        seeds: seeds of parameters and data; each is checked in turn.
        properties: what to check.
        exempt: property id to the reason why it does not apply; added to the case's own.

    Returns:
        The report: a row for each property with the worst figure seen; as text, a table.

    Raises:
        ContractViolation: a property does not hold; the message lists all that do not.
        TypeError: ``bijector`` is none of these.
        ValueError: ``event`` is missing, given beside a case, or not a shape that the bijector takes; or an exempt id
            names no property.

    Examples:
        >>> from flowkit import LUConv1x1
        >>> from flowkit.testing.properties import round_trip
        >>> print(check_bijector(lambda: LUConv1x1(3), event=(3, 4, 5), properties=round_trip.PROPERTIES))
        LUConv1x1: 2 properties hold
        property               worst    tolerance  verdict
        round_trip_of_data     ...  1e-08      passed
        round_trip_of_latents  ...  1e-08      passed
    """
    report = run_checks(bijector, event, context, seeds=seeds, properties=properties, exempt=exempt)
    report.raise_for_failures()
    return report


def run_checks(
    bijector: Checkable,
    event: Shape | None = None,
    context: Shape | None = None,
    *,
    seeds: Sequence[int] = (0, 1),
    properties: Sequence[Property[Subject]] = PROPERTIES,
    exempt: Mapping[str, str] | None = None,
    name: str | None = None,
) -> Report:
    """Check a bijector as :func:`check_bijector` does, but return the report even where a property fails.

    Args:
        bijector: as for :func:`check_bijector`.
        event: as for :func:`check_bijector`.
        context: as for :func:`check_bijector`.
        seeds: as for :func:`check_bijector`.
        properties: as for :func:`check_bijector`.
        exempt: as for :func:`check_bijector`.
        name: heads the report; the bijector's class if ``None``.

    Returns:
        The report.

    Raises:
        TypeError: as for :func:`check_bijector`.
        ValueError: as for :func:`check_bijector`.

    Examples:
        >>> from flowkit import Squeeze
        >>> from flowkit.testing.properties import log_det
        >>> report = run_checks(Squeeze, event=(3, 4, 6), properties=log_det.PROPERTIES, seeds=[0])
        >>> report.failures
        ()
    """
    cases = {seed: as_case(bijector, event, context, seed=seed, exempt=exempt) for seed in seeds}
    example = example_of(next(iter(cases.values())))
    subjects = cache(lambda seed, state: Subject(cases[seed], seed, state))
    rows = [_row(prop, seeds, subjects) for prop in properties]
    return Report(name or type(example).__name__, tuple(rows))


def as_case(
    bijector: Checkable,
    event: Shape | None = None,
    context: Shape | None = None,
    *,
    seed: int = 0,
    exempt: Mapping[str, str] | None = None,
) -> Case:
    """Turn anything that can be checked into a case.

    Args:
        bijector: as for :func:`check_bijector`.
        event: as for :func:`check_bijector`.
        context: as for :func:`check_bijector`.
        seed: draws the sizes of an entry's case.
        exempt: as for :func:`check_bijector`.

    Returns:
        The case.

    Raises:
        TypeError: ``bijector`` cannot be checked.
        ValueError: ``event`` is missing, or given beside a case; or an exempt id is unknown.
    """
    case: Case
    if isinstance(bijector, Case | Entry):
        if event is not None or context is not None:
            raise ValueError(f"event and context are stated by the {type(bijector).__name__}: do not give them again")
        case = bijector if isinstance(bijector, Case) else _drawn(bijector, seed)
    elif isinstance(bijector, nn.Module) and not isinstance(bijector, Bijector):
        raise TypeError(
            f"{type(bijector).__name__} is a module and no Bijector, whose contract this checks: check a surjection by "
            "check_stochastic_map, of a flow its bijector, of a network the Coupling or other layer that it is in"
        )
    elif isinstance(bijector, Bijector) or callable(bijector):
        if event is None:
            raise ValueError("event is missing: the event shape of forward's input, e.g. event=(3, 8, 8)")
        made: Any = bijector
        case = Case((lambda: copy.deepcopy(made)) if isinstance(made, Bijector) else made, event, context)
    else:
        raise TypeError(f"a Case, an Entry, a Bijector or what makes one can be checked, not {bijector!r}")
    case = replace(case, exempt={**case.exempt, **(exempt or {})})
    known = {prop.id for prop in PROPERTIES}
    if unknown := sorted(set(case.exempt) - known):
        raise ValueError(f"exempt names no property: {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    return case


def example_of(case: Case) -> Bijector[Any, Any]:
    """Make a case's bijector and verify that it takes the case's event shape.

    Args:
        case: the case.

    Returns:
        A new bijector.

    Raises:
        TypeError: the case makes something else.
        ValueError: its event shape is not one that the bijector takes.
    """
    with torch.random.fork_rng(devices=[]):
        bijector: Any = case.make()
    name = type(bijector).__name__
    if not isinstance(bijector, Bijector):
        raise TypeError(f"what is to be checked makes a {name}, not a Bijector")
    if not is_nested(case.event) and len(case.event) != bijector.event_dims:
        raise ValueError(
            f"{name} takes {bijector.event_dims} event dimensions, the event shape {case.event} has {len(case.event)}"
        )
    try:
        bijector.output_shape(case.event)
    except (ValueError, TypeError, IndexError) as error:
        raise ValueError(f"{name} does not take the event shape {case.event}: {error}") from error
    return bijector


def check_property(prop: Property[S], subject: S) -> float:
    """Check one property of one subject; any exception of the bijector or map counts as a violation.

    Args:
        prop: the property.
        subject: the bijector or map, with parameters and data.

    Returns:
        The worst figure seen.

    Raises:
        ContractViolation: the property does not hold.
        NotApplicable: the property does not apply to this one.
    """
    try:
        return prop.check(subject)
    except (ContractViolation, NotApplicable):
        raise
    except Exception as error:  # an error in the checked code is a finding: the other checks go on
        reason = " ".join(str(error).split())[:300]
        raise ContractViolation(f"{prop.id}: {type(error).__name__}: {reason} {subject}") from error


def _drawn(entry: Entry, seed: int) -> Case:
    # The term is part of the seed, so that the entries of one family draw different sizes.
    return entry.build(random.Random(f"{entry.term} {seed}").randint)


def _row(prop: Property[Subject], seeds: Sequence[int], subject: Callable[[int, State], Subject]) -> Row:
    worst: float | None = None
    reason = ""
    for seed in seeds[:1] if prop.once else seeds:
        for state in prop.states:
            one = subject(seed, state)
            if prop.id in one.case.exempt:
                return Row(prop.id, "exempt", None, prop.tolerance, one.case.exempt[prop.id])
            try:
                figure = check_property(prop, one)
            except NotApplicable as error:
                reason = str(error)
                break
            except ContractViolation as violation:
                return Row(prop.id, "failed", violation.figure, prop.tolerance, str(violation))
            worst = figure if worst is None else max(worst, figure)
    if worst is None:
        return Row(prop.id, "not applicable", None, prop.tolerance, reason)
    return Row(prop.id, "passed", worst, prop.tolerance)
