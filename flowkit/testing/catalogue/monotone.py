"""Elementwise transforms with one-dimensional splines, mixtures, polynomials and networks."""

from collections.abc import Callable

from flowkit.bijectors.coupling import Coupling
from flowkit.bijectors.elementwise import Elementwise
from flowkit.nn.mlp import MLP
from flowkit.testing.case import Case, Draw, Entry
from flowkit.testing.catalogue.networks import CONTEXT, HIDDEN
from flowkit.transforms.bernstein import BernsteinPolynomial
from flowkit.transforms.cubic_spline import CubicSpline
from flowkit.transforms.deep_sigmoidal import DeepSigmoidal
from flowkit.transforms.linear_spline import LinearSpline
from flowkit.transforms.logistic_mixture import LogisticMixture
from flowkit.transforms.normal_mixture import NormalMixture
from flowkit.transforms.quadratic_spline import QuadraticSpline
from flowkit.transforms.sum_of_squares import SumOfSquares
from flowkit.transforms.transform import Transform
from flowkit.transforms.unconstrained_monotonic import UnconstrainedMonotonic

__all__ = ["ENTRIES"]


def _elementwise(make: Callable[[Draw], Callable[[], Transform]]) -> Callable[[Draw], Case]:
    def build(draw: Draw) -> Case:
        features, transform = draw(1, 3), make(draw)
        return Case(lambda: Elementwise(transform(), (features,)), (features,))

    return build


def _coupling(draw: Draw) -> Case:
    features = draw(2, 3)

    def make() -> Coupling:
        transform = LogisticMixture(2)
        kept = features // 2
        network = MLP(kept, transform.parameters_per_element * (features - kept), (HIDDEN,), CONTEXT)
        return Coupling(features, network, transform, event_dims=1)

    return Case(make, (features,), (CONTEXT,))


def _linear(draw: Draw) -> Callable[[], Transform]:
    bins = draw(2, 6)
    return lambda: LinearSpline(bins)


def _quadratic(draw: Draw) -> Callable[[], Transform]:
    bins = draw(2, 6)
    return lambda: QuadraticSpline(bins)


def _cubic(draw: Draw) -> Callable[[], Transform]:
    bins = draw(2, 6)
    return lambda: CubicSpline(bins)


def _deep_sigmoidal(draw: Draw) -> Callable[[], Transform]:
    units, layers = draw(1, 4), draw(1, 2)
    return lambda: DeepSigmoidal(units, layers)


def _normal_mixture(draw: Draw) -> Callable[[], Transform]:
    components = draw(2, 4)
    return lambda: NormalMixture(components)


def _sum_of_squares(draw: Draw) -> Callable[[], Transform]:
    polynomials, degree = draw(1, 3), draw(1, 3)
    return lambda: SumOfSquares(polynomials, degree)


def _bernstein(draw: Draw) -> Callable[[], Transform]:
    degree = draw(2, 8)
    return lambda: BernsteinPolynomial(degree)


def _unconstrained_monotonic(draw: Draw) -> Callable[[], Transform]:
    signal = draw(1, 3)
    return lambda: UnconstrainedMonotonic(signal, (HIDDEN,))


MULLER = "Müller et al. 2019"

ENTRIES: dict[str, Entry] = {
    "Elementwise, linear spline": Entry("linear spline of each element", f"{MULLER}, sec. 4.2", _elementwise(_linear)),
    "Elementwise, quadratic spline": Entry(
        "quadratic spline of each element", f"{MULLER}, sec. 4.3", _elementwise(_quadratic)
    ),
    "Elementwise, cubic spline": Entry("cubic spline of each element", "Durkan et al. 2019", _elementwise(_cubic)),
    "Coupling, logistic mixture, conditional": Entry(
        "logistic mixture coupling of vectors (Flow++)", "Ho et al. 2019, sec. 3.2", _coupling
    ),
    "Elementwise, deep sigmoidal": Entry(
        "deep sigmoidal network of each element", "Huang et al. 2018, eq. 8", _elementwise(_deep_sigmoidal)
    ),
    "Elementwise, normal mixture": Entry(
        "marginal Gaussianization by normal mixtures", "Chen and Gopinath 2000, sec. 3", _elementwise(_normal_mixture)
    ),
    "Elementwise, sum of squares": Entry(
        "sum-of-squares polynomial of each element", "Jaini, Selby and Yu 2019, eq. 9", _elementwise(_sum_of_squares)
    ),
    "Elementwise, Bernstein": Entry(
        "Bernstein polynomial of each element", "Ramasinghe et al. 2021, sec. 3", _elementwise(_bernstein)
    ),
    "Elementwise, unconstrained monotonic": Entry(
        "integral of a positive network, of each element",
        "Wehenkel and Louppe 2019, eq. 1",
        _elementwise(_unconstrained_monotonic),
    ),
}
