"""Elementwise transforms, given their parameters, and the scale functions that they take."""

from flowkit.transforms.additive import Additive
from flowkit.transforms.affine import Affine
from flowkit.transforms.bounded_spline import BoundedSpline
from flowkit.transforms.circular_spline import CircularSpline
from flowkit.transforms.exp import Exp, Log
from flowkit.transforms.fixed import FixedTransform
from flowkit.transforms.inverse import InverseTransform
from flowkit.transforms.leaky_relu import LeakyReLU
from flowkit.transforms.phase_shift import PhaseShift, wrap_angle
from flowkit.transforms.power import Power
from flowkit.transforms.rational_quadratic import RationalQuadraticSpline
from flowkit.transforms.scale import BoundedLogScale, SigmoidScale
from flowkit.transforms.scale_shift import ScaleShift
from flowkit.transforms.sigmoid import Logit, Sigmoid
from flowkit.transforms.softplus import Softplus
from flowkit.transforms.tanh import Arctanh, Tanh
from flowkit.transforms.transform import Transform, split_parameters

__all__ = [
    "Additive",
    "Affine",
    "Arctanh",
    "BoundedLogScale",
    "BoundedSpline",
    "CircularSpline",
    "Exp",
    "FixedTransform",
    "InverseTransform",
    "LeakyReLU",
    "Log",
    "Logit",
    "PhaseShift",
    "Power",
    "RationalQuadraticSpline",
    "ScaleShift",
    "Sigmoid",
    "SigmoidScale",
    "Softplus",
    "Tanh",
    "Transform",
    "split_parameters",
    "wrap_angle",
]
