"""Checking a stochastic map for every property of its contract."""

import copy
from collections.abc import Callable, Sequence

import torch

from flowkit.bijector import Shape
from flowkit.surjections.stochastic_map import StochasticMap
from flowkit.testing.check import check_property
from flowkit.testing.property import Property
from flowkit.testing.report import Report, Row
from flowkit.testing.stochastic_maps.case import MapCase
from flowkit.testing.stochastic_maps.properties import PROPERTIES
from flowkit.testing.stochastic_maps.subject import MapSubject
from flowkit.testing.violation import ContractViolation, NotApplicable

__all__ = ["check_stochastic_map"]


def check_stochastic_map(
    stochastic_map: StochasticMap | MapCase | Callable[[], StochasticMap],
    event: Shape | None = None,
    context: Shape | None = None,
    *,
    seeds: Sequence[int] = (0, 1),
    properties: Sequence[Property[MapSubject]] = PROPERTIES,
) -> Report:
    """Check a surjection or another stochastic map: what :func:`check_bijector` is for bijectors.

    Args:
        stochastic_map: a class or function without arguments that makes it, an instance (of which copies are checked),
            or a :class:`MapCase`.
        event: event shape of the data, a few entries at most: densities are checked by drawing. Not for
            a case, which has its own.
        context: event shape of the context; ``None`` for a map without one.
        seeds: seeds of parameters and data; each is checked in turn.
        properties: what to check.

    Returns:
        The report: a row for each property with the worst figure seen; as text, a table.

    Raises:
        ContractViolation: a property does not hold; the message lists all that do not.
        TypeError: ``stochastic_map`` is none of these.
        ValueError: ``event`` is missing, or given beside a case.

    Examples:
        >>> from flowkit.surjections import AbsoluteValue
        >>> print(check_stochastic_map(lambda: AbsoluteValue(2), event=(2,), properties=PROPERTIES[:3]))
        AbsoluteValue: 3 properties hold
        property        worst    tolerance  verdict
        shapes                              passed
        latents_within                      passed
        leads_back      0.0e+00  1e-08      passed
    """
    case = _as_case(stochastic_map, event, context)
    with torch.random.fork_rng(devices=[]):
        example = case.make()
    if not isinstance(example, StochasticMap):
        raise TypeError(f"what is to be checked makes a {type(example).__name__}, not a StochasticMap")
    rows = [_row(prop, case, seeds) for prop in properties]
    report = Report(type(example).__name__, tuple(rows))
    report.raise_for_failures()
    return report


def _as_case(
    stochastic_map: StochasticMap | MapCase | Callable[[], StochasticMap], event: Shape | None, context: Shape | None
) -> MapCase:
    if isinstance(stochastic_map, MapCase):
        if event is not None or context is not None:
            raise ValueError("event and context are stated by the MapCase: do not give them again")
        return stochastic_map
    if not isinstance(stochastic_map, StochasticMap) and not callable(stochastic_map):
        raise TypeError(f"a StochasticMap or what makes one can be checked, not {stochastic_map!r}")
    if event is None:
        raise ValueError("event is missing: the event shape of the data, e.g. event=(4,)")
    if isinstance(stochastic_map, StochasticMap):
        made = stochastic_map
        return MapCase(lambda: copy.deepcopy(made), event, context)
    return MapCase(stochastic_map, event, context)


def _row(prop: Property[MapSubject], case: MapCase, seeds: Sequence[int]) -> Row:
    worst = 0.0
    for seed in seeds:
        for state in prop.states:
            try:
                worst = max(worst, check_property(prop, MapSubject(case, seed, state)))
            except NotApplicable as error:
                return Row(prop.id, "not applicable", None, prop.tolerance, str(error))
            except ContractViolation as violation:
                return Row(prop.id, "failed", violation.figure, prop.tolerance, str(violation))
    return Row(prop.id, "passed", worst, prop.tolerance)
