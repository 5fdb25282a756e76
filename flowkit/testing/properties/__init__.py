"""The properties of the contract, in the order in which they are checked and reported."""

from flowkit.testing.properties import (
    context,
    copies,
    extremes,
    gradients,
    independence,
    log_det,
    precision,
    purity,
    round_trip,
    shapes,
    torch_functions,
)
from flowkit.testing.property import Property
from flowkit.testing.subject import Subject

__all__ = ["PROPERTIES"]

PROPERTIES: tuple[Property[Subject], ...] = (
    *shapes.PROPERTIES,
    *round_trip.PROPERTIES,
    *log_det.PROPERTIES,
    *independence.PROPERTIES,
    *purity.PROPERTIES,
    *gradients.PROPERTIES,
    *extremes.PROPERTIES,
    *copies.PROPERTIES,
    *context.PROPERTIES,
    *torch_functions.PROPERTIES,
    *precision.PROPERTIES,
)
