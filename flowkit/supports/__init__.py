"""Sets that data may lie on, each with the measure that densities refer to; the bijectors onto them say so."""

from flowkit.supports.box import BoxSupport
from flowkit.supports.correlation import CorrelationCholeskySupport
from flowkit.supports.cylinder import CylinderSupport
from flowkit.supports.interval import IntervalSupport, exact_interval, within
from flowkit.supports.moved import MovedSupport
from flowkit.supports.ordered import OrderedSupport
from flowkit.supports.product import ProductSupport
from flowkit.supports.simplex import SimplexSupport
from flowkit.supports.sphere import PuncturedSphereSupport, SphereSupport
from flowkit.supports.support import Support, SupportConstraint, tolerance

__all__ = [
    "BoxSupport",
    "CorrelationCholeskySupport",
    "CylinderSupport",
    "IntervalSupport",
    "MovedSupport",
    "OrderedSupport",
    "ProductSupport",
    "PuncturedSphereSupport",
    "SimplexSupport",
    "SphereSupport",
    "Support",
    "SupportConstraint",
    "exact_interval",
    "tolerance",
    "within",
]
