"""The contract of stochastic maps as a public check: surjections, augmentation, Monte Carlo steps, and your own."""

from flowkit.testing.stochastic_maps.case import MapCase
from flowkit.testing.stochastic_maps.check import check_stochastic_map
from flowkit.testing.stochastic_maps.properties import PROPERTIES
from flowkit.testing.stochastic_maps.subject import MapSubject

__all__ = ["PROPERTIES", "MapCase", "MapSubject", "check_stochastic_map"]
