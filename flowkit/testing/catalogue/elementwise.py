"""Elementwise layers with parameters of their own, and functions that have none."""

from collections.abc import Callable

import torch

from flowkit.bijectors.elementwise import Elementwise
from flowkit.bijectors.fixed_affine import FixedAffine
from flowkit.bijectors.logit_preprocessing import LogitPreprocessing
from flowkit.testing.case import Case, Draw, Entry
from flowkit.testing.catalogue.sizes import choice, image_shape
from flowkit.transforms import Additive, Affine, ScaleShift, SigmoidScale, Transform
from flowkit.transforms.exp import Exp, Log
from flowkit.transforms.inverse import InverseTransform
from flowkit.transforms.leaky_relu import LeakyReLU
from flowkit.transforms.power import Power
from flowkit.transforms.rational_quadratic import RationalQuadraticSpline
from flowkit.transforms.sigmoid import Logit, Sigmoid
from flowkit.transforms.softplus import Softplus
from flowkit.transforms.tanh import Arctanh, Tanh

__all__ = ["ENTRIES"]


def _vectors(transform: Callable[[], Transform], draw: Draw) -> Case:
    features = draw(1, 5)
    return Case(lambda: Elementwise(transform(), (features,)), (features,))


def _images(transform: Callable[[], Transform], draw: Draw) -> Case:
    shape = image_shape(draw, (1, 5))
    return Case(lambda: Elementwise(transform(), (shape[0], 1, 1), event_dims=3), shape)


def _shared(transform: Callable[[], Transform], draw: Draw) -> Case:
    shape = image_shape(draw, (1, 5))
    return Case(lambda: Elementwise(transform(), event_dims=3), shape)


def _fixed(transform: Callable[[], Transform], draw: Draw) -> Case:
    features = draw(1, 5)
    return Case(lambda: Elementwise(transform()), (features,))


def _fixed_images(transform: Callable[[], Transform], draw: Draw) -> Case:
    shape = image_shape(draw, (1, 5))
    return Case(lambda: Elementwise(transform(), event_dims=3), shape)


def _spline(draw: Draw) -> Callable[[], Transform]:
    bins = draw(2, 6)
    bound = choice(draw, (1.0, 3.0))
    return lambda: RationalQuadraticSpline(bins, bound)


def _power(draw: Draw) -> Callable[[], Transform]:
    exponent = choice(draw, (2.0, 0.5, -1.0, 3.0, -0.3))
    return lambda: Power(exponent)


def _leaky_relu(draw: Draw) -> Callable[[], Transform]:
    slope = choice(draw, (0.01, 0.5, 2.0))
    return lambda: LeakyReLU(slope)


def _logit_preprocessing(draw: Draw) -> Case:
    shape = image_shape(draw, (1, 5))
    alpha = choice(draw, (0.05, 1e-6))
    return Case(lambda: LogitPreprocessing(alpha), shape)


def _logit_preprocessing_vectors(draw: Draw) -> Case:
    return Case(lambda: LogitPreprocessing(event_dims=1), (draw(1, 5),))


def _fixed_affine(draw: Draw) -> Case:
    features = draw(1, 5)
    loc = [float(draw(-3, 3)) for _ in range(features)]
    scale = [choice(draw, (0.2, 1.0, -3.0)) for _ in range(features)]
    return Case(lambda: FixedAffine(torch.tensor(loc), torch.tensor(scale)), (features,))


def _fixed_affine_images(draw: Draw) -> Case:
    shape = image_shape(draw, (1, 5))
    loc = [float(draw(-3, 3)) for _ in range(shape[0])]
    return Case(lambda: FixedAffine(torch.tensor(loc).view(-1, 1, 1), 2.0, event_dims=3), shape)


NICE = "Dinh, Krueger and Bengio 2015"
REALNVP = "Dinh, Sohl-Dickstein and Bengio 2017"
NSF = "Durkan et al. 2019"
SURVEY = "Papamakarios et al. 2021"

ENTRIES: dict[str, Entry] = {
    "Elementwise, additive": Entry("elementwise shift", NICE, lambda draw: _vectors(Additive, draw)),
    "Elementwise, affine": Entry(
        "elementwise scale and shift", f"{SURVEY}, sec. 3.1.1", lambda draw: _vectors(Affine, draw)
    ),
    "Elementwise, affine, scale first": Entry(
        "elementwise shift after a scale", f"{SURVEY}, sec. 3.1.1", lambda draw: _vectors(ScaleShift, draw)
    ),
    "Elementwise, affine, images": Entry(
        "scale and shift of an image's channels",
        f"{SURVEY}, sec. 3.1.1",
        lambda draw: _images(lambda: Affine(SigmoidScale()), draw),
    ),
    "Elementwise, affine, inverse": Entry(
        "elementwise shift and scale, the other way round",
        f"{SURVEY}, sec. 3.1.1",
        lambda draw: _vectors(lambda: InverseTransform(Affine()), draw),
    ),
    "FixedAffine": Entry("standardisation, fixed", f"{SURVEY}, sec. 3.1.1", _fixed_affine),
    "FixedAffine, images": Entry(
        "standardisation of an image's channels, fixed", f"{SURVEY}, sec. 3.1.1", _fixed_affine_images
    ),
    "Elementwise, spline": Entry(
        "rational-quadratic spline of each element", f"{NSF}, eq. 4 to 8", lambda draw: _vectors(_spline(draw), draw)
    ),
    "Elementwise, spline, images": Entry(
        "rational-quadratic spline of each channel", f"{NSF}, eq. 4 to 8", lambda draw: _images(_spline(draw), draw)
    ),
    "Elementwise, spline, shared": Entry(
        "one rational-quadratic spline for all", f"{NSF}, eq. 4 to 8", lambda draw: _shared(_spline(draw), draw)
    ),
    "LeakyReLU": Entry("leaky rectifier", "Maas, Hannun and Ng 2013", lambda draw: _fixed(_leaky_relu(draw), draw)),
    "Sigmoid": Entry("logistic sigmoid", f"{REALNVP}, sec. 4.1", lambda draw: _fixed(Sigmoid, draw)),
    "Logit": Entry("log-odds", f"{REALNVP}, sec. 4.1", lambda draw: _fixed_images(Logit, draw)),
    "Tanh": Entry("hyperbolic tangent", "Haarnoja et al. 2018, app. C", lambda draw: _fixed(Tanh, draw)),
    "Arctanh": Entry(
        "inverse hyperbolic tangent", "Haarnoja et al. 2018, app. C", lambda draw: _fixed_images(Arctanh, draw)
    ),
    "Softplus": Entry("softplus", "Dugas et al. 2001", lambda draw: _fixed(Softplus, draw)),
    "Exp": Entry("exponential", f"{SURVEY}, sec. 2.1", lambda draw: _fixed(Exp, draw)),
    "Log": Entry("logarithm", f"{SURVEY}, sec. 2.1", lambda draw: _fixed_images(Log, draw)),
    "Power": Entry("fixed power", "Box and Cox 1964, eq. 1", lambda draw: _fixed(_power(draw), draw)),
    "LogitPreprocessing": Entry("logit of data in [0, 1]", f"{REALNVP}, sec. 4.1", _logit_preprocessing),
    "LogitPreprocessing, vectors": Entry(
        "logit of vectors in [0, 1]", f"{REALNVP}, sec. 4.1", _logit_preprocessing_vectors
    ),
}
