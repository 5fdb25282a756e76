"""Maps beside bijections: surjections and stochastic layers, with their contributions to the likelihood."""

from flowkit.surjections.absolute_value import AbsoluteValue
from flowkit.surjections.augment import Augment
from flowkit.surjections.flow import StochasticFlow
from flowkit.surjections.langevin import Langevin
from flowkit.surjections.maximum import Maximum
from flowkit.surjections.metropolis import Metropolis
from flowkit.surjections.slice import Slice
from flowkit.surjections.stochastic_map import StochasticMap

__all__ = [
    "AbsoluteValue",
    "Augment",
    "Langevin",
    "Maximum",
    "Metropolis",
    "Slice",
    "StochasticFlow",
    "StochasticMap",
]
