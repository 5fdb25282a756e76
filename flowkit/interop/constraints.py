"""Open intervals and the constraints of torch.distributions: the one as the other."""

import math
from collections.abc import Callable

import torch
from torch.distributions import constraints

from flowkit.bijector import Interval

__all__ = ["constraint_of", "exact_interval", "interval_of"]

FLOAT32, FLOAT64 = torch.finfo(torch.float32).eps, torch.finfo(torch.float64).eps


def interval_of(constraint: constraints.Constraint) -> Interval:
    """The interval that a constraint of ``torch.distributions`` keeps every element in.

    Args:
        constraint: the constraint, over single elements or over events of them.

    Returns:
        The ends; the real line where the constraint is not an interval. Of bounds that differ from element to
        element, the widest.

    Examples:
        >>> interval_of(constraints.unit_interval), interval_of(constraints.independent(constraints.positive, 1))
        ((0.0, 1.0), (0.0, inf))
    """
    if isinstance(constraint, constraints.independent):
        return interval_of(constraint.base_constraint)
    lower = torch.as_tensor(getattr(constraint, "lower_bound", -math.inf))
    upper = torch.as_tensor(getattr(constraint, "upper_bound", math.inf))
    return float(lower.min()), float(upper.max())


def constraint_of(interval: Interval, event_dims: int) -> constraints.Constraint:
    """The constraint of ``torch.distributions`` for events whose every element lies in an interval.

    Args:
        interval: its two ends, minus and plus infinity included.
        event_dims: how many dimensions make one event.

    Returns:
        The constraint, its ``event_dim`` being ``event_dims``. Where torch has a name for the interval (``real``,
        ``positive``, ``unit_interval``), the object of that name stands in it.

    Examples:
        >>> constraint_of((0.0, math.inf), event_dims=1)
        IndependentConstraint(GreaterThan(lower_bound=0.0), 1)
    """
    lower, upper = interval
    element: constraints.Constraint
    if interval == (-math.inf, math.inf):
        element = constraints.real
    elif interval == (0.0, math.inf):
        element = constraints.positive
    elif interval == (0.0, 1.0):
        element = constraints.unit_interval
    elif upper == math.inf:
        element = constraints.greater_than(lower)
    elif lower == -math.inf:
        element = constraints.less_than(upper)
    else:
        element = constraints.interval(lower, upper)
    return constraints.independent(element, event_dims)


def exact_interval(interval: Callable[[torch.dtype], Interval]) -> Interval:
    """The interval in exact arithmetic: a data type's own limits are replaced by what they stand for.

    A logarithm takes the positive numbers, of which a data type holds those between its smallest and its largest
    one. Such limits are recognised by their growth with the precision; a sampler that took them for the ends of the
    support would map the real line onto ``(2e-308, 1.8e308)`` by a sigmoid and overflow.

    Args:
        interval: a bijector's ``domain`` or ``codomain``.

    Returns:
        The ends: 0 where they shrink from float32 to float64, infinity where they grow; else those of float64, less
        what the precision adds to them, as to a circle's, so that a sampler may come to the very end.

    Examples:
        >>> from flowkit.transforms import Log
        >>> exact_interval(Log().domain)
        (0.0, inf)
    """
    coarse, fine = interval(torch.float32), interval(torch.float64)
    lower, upper = _exact_end(coarse[0], fine[0]), _exact_end(coarse[1], fine[1])
    return max(lower, fine[0]) if lower else lower, min(upper, fine[1]) if math.isfinite(upper) else upper


def _exact_end(coarse: float, fine: float) -> float:
    # An end that is merely rounded differs by a few epsilons of float32, some 1e-6 of itself.
    if math.isclose(coarse, fine, rel_tol=1e-5):
        return fine - (coarse - fine) * FLOAT64 / (FLOAT32 - FLOAT64)
    return 0.0 if abs(fine) < abs(coarse) else math.copysign(math.inf, fine)
