"""The stochastic maps of the package that its own suite checks."""

from torch import Tensor, nn

from flowkit.distributions import ConditionalNormal, StandardNormal
from flowkit.surjections import AbsoluteValue, Augment, Langevin, Maximum, Metropolis, Slice
from flowkit.testing.stochastic_maps.case import MapCase

__all__ = ["MAPS"]


def _wells(x: Tensor) -> Tensor:
    """The logarithm of a density with two bumps in each entry."""
    return -(x.abs() - 1).square().sum(-1)


MAPS: dict[str, MapCase] = {
    "AbsoluteValue": MapCase(lambda: AbsoluteValue(3), (3,)),
    "AbsoluteValue_by_a_network": MapCase(lambda: AbsoluteValue(2, nn.Linear(2, 2)), (2,)),
    "Maximum": MapCase(lambda: Maximum(2), (4,)),
    "Maximum_of_one_group": MapCase(lambda: Maximum(3), (3,)),
    "Slice": MapCase(lambda: Slice(3, 2, ConditionalNormal(nn.Linear(2, 2))), (3,)),
    "Slice_unconditional": MapCase(lambda: Slice(3, 1, StandardNormal(event_dims=1)), (3,)),
    "Augment": MapCase(lambda: Augment(2, 1, ConditionalNormal(nn.Linear(2, 2))), (2,)),
    "Augment_unconditional": MapCase(lambda: Augment(1, 2, StandardNormal(event_dims=1)), (1,)),
    "Metropolis": MapCase(lambda: Metropolis(_wells, steps=3, scale=0.5), (2,)),
    "Langevin": MapCase(lambda: Langevin(_wells, steps=2, step_size=0.05), (2,)),
}
"""Every stochastic map of the package, by name."""
