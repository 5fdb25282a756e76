"""Elementwise transforms, given their parameters, and the scale functions that they take."""

from flowkit.transforms.additive import Additive
from flowkit.transforms.affine import Affine
from flowkit.transforms.bernstein import BernsteinPolynomial
from flowkit.transforms.bounded_spline import BoundedSpline
from flowkit.transforms.circular_spline import CircularSpline
from flowkit.transforms.cubic_spline import CubicSpline
from flowkit.transforms.deep_sigmoidal import DeepSigmoidal
from flowkit.transforms.exp import Exp, Log
from flowkit.transforms.fixed import FixedTransform
from flowkit.transforms.inverse import InverseTransform
from flowkit.transforms.leaky_relu import LeakyReLU
from flowkit.transforms.linear_spline import LinearSpline
from flowkit.transforms.logistic_mixture import LogisticMixture
from flowkit.transforms.monotone import MonotoneTransform, StraightTails
from flowkit.transforms.normal_mixture import NormalMixture
from flowkit.transforms.phase_shift import PhaseShift, wrap_angle
from flowkit.transforms.power import Power
from flowkit.transforms.quadratic_spline import QuadraticSpline
from flowkit.transforms.rational_quadratic import RationalQuadraticSpline
from flowkit.transforms.scale import BoundedLogScale, SigmoidScale
from flowkit.transforms.scale_shift import ScaleShift
from flowkit.transforms.sigmoid import Logit, Sigmoid
from flowkit.transforms.softplus import Softplus
from flowkit.transforms.sum_of_squares import SumOfSquares
from flowkit.transforms.tanh import Arctanh, Tanh
from flowkit.transforms.transform import Transform, split_parameters
from flowkit.transforms.unconstrained_monotonic import UnconstrainedMonotonic

__all__ = [
    "Additive",
    "Affine",
    "Arctanh",
    "BernsteinPolynomial",
    "BoundedLogScale",
    "BoundedSpline",
    "CircularSpline",
    "CubicSpline",
    "DeepSigmoidal",
    "Exp",
    "FixedTransform",
    "InverseTransform",
    "LeakyReLU",
    "LinearSpline",
    "Log",
    "LogisticMixture",
    "Logit",
    "MonotoneTransform",
    "NormalMixture",
    "PhaseShift",
    "Power",
    "QuadraticSpline",
    "RationalQuadraticSpline",
    "ScaleShift",
    "Sigmoid",
    "SigmoidScale",
    "Softplus",
    "StraightTails",
    "SumOfSquares",
    "Tanh",
    "Transform",
    "UnconstrainedMonotonic",
    "split_parameters",
    "wrap_angle",
]
