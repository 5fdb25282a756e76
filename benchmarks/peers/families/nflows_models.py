"""The families in nflows: couplings by other splines.

================ =====================================================================================================
linear_spline    no least height
quadratic_spline 15 numbers for 8 bins: derivatives at the ends are fixed; widths and heights of 0.001 at least
cubic_spline     the inverse by the formulas for the roots of a cubic; widths and heights of 0.001 at least
================ =====================================================================================================
"""

from nflows.transforms import (
    PiecewiseCubicCouplingTransform,
    PiecewiseLinearCouplingTransform,
    PiecewiseQuadraticCouplingTransform,
)

from benchmarks.density.architectures import Event, Spline
from benchmarks.peers.model import Model
from benchmarks.peers.nflows_models import couplings

__all__ = ["cubic_spline", "linear_spline", "quadratic_spline"]


def linear_spline(event: Event, settings: Spline) -> Model:
    return couplings(event, settings, PiecewiseLinearCouplingTransform)


def quadratic_spline(event: Event, settings: Spline) -> Model:
    return couplings(event, settings, PiecewiseQuadraticCouplingTransform)


def cubic_spline(event: Event, settings: Spline) -> Model:
    return couplings(event, settings, PiecewiseCubicCouplingTransform)
