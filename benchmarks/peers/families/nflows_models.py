"""The families in nflows: couplings by other splines.

================ =====================================================================================================
linear_spline    no least height
quadratic_spline 15 numbers for 8 bins: derivatives at the ends are fixed; widths and heights of 0.001 at least
cubic_spline     the inverse by the formulas for the roots of a cubic; widths and heights of 0.001 at least
================ =====================================================================================================
"""

from typing import Any

from nflows.distributions import StandardNormal
from nflows.flows import Flow
from nflows.transforms import (
    CompositeTransform,
    PiecewiseCubicCouplingTransform,
    PiecewiseLinearCouplingTransform,
    PiecewiseQuadraticCouplingTransform,
)

from benchmarks.density import nflows_models as known
from benchmarks.density.architectures import Event, Spline
from benchmarks.peers.model import Model
from benchmarks.peers.nflows_models import changed

__all__ = ["cubic_spline", "linear_spline", "quadratic_spline"]


def linear_spline(event: Event, settings: Spline) -> Model:
    return _couplings(event, settings, PiecewiseLinearCouplingTransform)


def quadratic_spline(event: Event, settings: Spline) -> Model:
    return _couplings(event, settings, PiecewiseQuadraticCouplingTransform)


def cubic_spline(event: Event, settings: Spline) -> Model:
    return _couplings(event, settings, PiecewiseCubicCouplingTransform)


def _couplings(event: Event, settings: Spline, coupling: Any) -> Model:
    couplings = [
        coupling(
            changed(event, layer),
            lambda inputs, outputs: known.MLP(inputs, outputs, settings.hidden),
            num_bins=settings.bins,
            tails="linear",
            tail_bound=settings.bound,
        )
        for layer in range(settings.layers)
    ]
    flow = Flow(CompositeTransform(couplings), StandardNormal(event))
    return Model(flow, flow.log_prob, flow.sample)
