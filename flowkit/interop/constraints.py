"""Open intervals and the constraints of torch.distributions: the one as the other."""

import math

import torch
from torch.distributions import constraints

from flowkit.bijector import Interval
from flowkit.supports.interval import exact_interval

__all__ = ["constraint_of", "exact_interval", "interval_of"]


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
