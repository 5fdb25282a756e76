"""Bijectors from boxes, simplices, spheres and the like."""

from collections.abc import Callable
from typing import Any

import torch

from flowkit.bijector import Bijector
from flowkit.bijectors.concatenate import Concatenate
from flowkit.bijectors.elementwise import Elementwise
from flowkit.bijectors.identity import Identity
from flowkit.bijectors.supports.box import Box
from flowkit.bijectors.supports.correlation_cholesky import CorrelationCholesky
from flowkit.bijectors.supports.exponential_map import ExponentialMap
from flowkit.bijectors.supports.moebius import Moebius
from flowkit.bijectors.supports.ordered import Ordered
from flowkit.bijectors.supports.positive import Positive
from flowkit.bijectors.supports.softmax_centred import SoftmaxCentred
from flowkit.bijectors.supports.sphere_to_cylinder import SphereToCylinder
from flowkit.bijectors.supports.stereographic import Stereographic
from flowkit.bijectors.supports.stick_breaking import StickBreaking
from flowkit.nn.mlp import MLP
from flowkit.testing.case import Case, Draw, Entry
from flowkit.testing.catalogue.networks import CONTEXT, HIDDEN
from flowkit.testing.catalogue.sizes import choice
from flowkit.transforms.circular_spline import CircularSpline
from flowkit.transforms.phase_shift import PhaseShift
from flowkit.transforms.transform import Transform

__all__ = ["ENTRIES"]


def _vectors(make: Callable[[], Bijector[Any, Any]], fewest: int = 2) -> Callable[[Draw], Case]:
    return lambda draw: Case(make, (draw(fewest, 5),))


def _box(draw: Draw) -> Case:
    features = draw(1, 5)
    lower = torch.tensor([float(draw(-3, 3)) for _ in range(features)])
    width = torch.tensor([choice(draw, (0.5, 2.0, 30.0)) for _ in range(features)])
    return Case(lambda: Box(lower, lower + width), (features,))


def _correlation(draw: Draw) -> Case:
    size = draw(2, 4)
    return Case(CorrelationCholesky, (size, size))


def _moebius(draw: Draw) -> Case:
    features = draw(2, 5)
    return Case(lambda: Moebius(features, MLP(CONTEXT, features, (HIDDEN,))), (features,), (CONTEXT,))


def _exponential_map(draw: Draw) -> Case:
    features, components = draw(2, 4), draw(1, 3)
    parameters = components * (features + 2)
    return Case(
        lambda: ExponentialMap(features, components, MLP(CONTEXT, parameters, (HIDDEN,))), (features,), (CONTEXT,)
    )


def _elementwise(transform: Callable[[], Transform]) -> Callable[[Draw], Case]:
    def build(draw: Draw) -> Case:
        features = draw(1, 5)
        return Case(lambda: Elementwise(transform(), (features,)), (features,))

    return build


def _mixed(draw: Draw) -> Case:
    sizes = [draw(1, 3), draw(2, 4), draw(1, 2)]
    return Case(lambda: Concatenate([Positive(), StickBreaking(), Identity()], sizes), (sum(sizes),))


TORI_AND_SPHERES = "Rezende et al. 2020"
ADVI = "Kucukelbir et al. 2017, sec. 2.3"
STAN = "Stan Reference Manual 2.36"

ENTRIES: dict[str, Entry] = {
    "Positive": Entry("positive numbers, logarithm", ADVI, _vectors(Positive, 1)),
    "Box": Entry("a box, log-odds", ADVI, _box),
    "Ordered": Entry("ordered vectors", STAN, _vectors(Ordered, 1)),
    "StickBreaking": Entry("simplex, stick-breaking", "Betancourt 2012", _vectors(StickBreaking)),
    "SoftmaxCentred": Entry("simplex, additive log-ratio", "Aitchison 1982, sec. 4", _vectors(SoftmaxCentred)),
    "CorrelationCholesky": Entry(
        "correlation matrices, Cholesky factors", "Lewandowski, Kurowicka and Joe 2009", _correlation
    ),
    "Stereographic": Entry(
        "unit vectors, stereographic projection", "Gemici, Rezende and Mohamed 2016, sec. 3", _vectors(Stereographic)
    ),
    "SphereToCylinder": Entry(
        "sphere to circle and heights", f"{TORI_AND_SPHERES}, sec. 2.3.1", _vectors(SphereToCylinder)
    ),
    "Moebius": Entry("conditional Moebius transformation of a sphere", f"{TORI_AND_SPHERES}, sec. 2.1.1", _moebius),
    "ExponentialMap": Entry("conditional exponential-map flow", f"{TORI_AND_SPHERES}, sec. 2.3", _exponential_map),
    "PhaseShift": Entry("turn of a circle", f"{TORI_AND_SPHERES}, sec. 2.1", _elementwise(PhaseShift)),
    "CircularSpline": Entry(
        "circular rational-quadratic spline", f"{TORI_AND_SPHERES}, sec. 2.1.2", _elementwise(lambda: CircularSpline(4))
    ),
    "Concatenate": Entry("blocks, each with its bijector", "Dillon et al. 2017", _mixed),
}
