"""Every transform of nflows that its package exports, as a case for the checks of the contract."""

from collections.abc import Callable
from typing import Any

import torch
from nflows import transforms as T
from nflows.nn.nets import ConvResidualNet, ResidualNet
from nflows.transforms.nonlinearities import CauchyCDF, CauchyCDFInverse
from torch import nn

from flowkit.interop.nflows import FromNflows
from flowkit.testing import Case

__all__ = ["LEFT_OUT", "TRANSFORMS"]

# Sizes differ from each other, so that a mixed-up dimension shows; they are small, for there are many checks.
FEATURES = 3
CONTEXT = 2
IMAGE = (2, 1, 3)
MASK = torch.tensor([1, 0, 1])
IMAGE_MASK = torch.tensor([0, 1])

# What is exported and not checked.
LEFT_OUT = {
    "Transform": "abstract",
    "InputOutsideDomain": "an exception",
    "InverseNotAvailable": "an exception",
    "AffineTransform": "a deprecated name of PointwiseAffineTransform",
    "AffineScalarTransform": "a deprecated name of PointwiseAffineTransform",
}


def network(inputs: int, outputs: int) -> nn.Module:
    return ResidualNet(inputs, outputs, hidden_features=8, num_blocks=1)


def conditional_network(inputs: int, outputs: int) -> nn.Module:
    return ResidualNet(inputs, outputs, hidden_features=8, context_features=CONTEXT, num_blocks=1)


def convolutions(inputs: int, outputs: int) -> nn.Module:
    return ConvResidualNet(inputs, outputs, hidden_channels=4, num_blocks=1)


def case(make: Callable[[], Any], event: tuple[int, ...], context: tuple[int, ...] | None = None) -> Case:
    return Case(lambda: FromNflows(make(), event_dims=len(event)), event=event, context=context)


def vector(make: Callable[[], Any]) -> Case:
    return case(make, (FEATURES,))


def image(make: Callable[[], Any]) -> Case:
    return case(make, IMAGE)


def conditional(make: Callable[[], Any]) -> Case:
    return case(make, (FEATURES,), (CONTEXT,))


def multiscale() -> Any:
    transform = T.MultiscaleCompositeTransform(2)
    kept = transform.add_transform(T.CompositeTransform([T.SqueezeTransform(), T.ActNorm(4)]), (4, 2, 4))
    transform.add_transform(T.CompositeTransform([T.SqueezeTransform(), T.ActNorm(8)]), (8, 1, 2))
    assert kept == (2, 2, 4)
    return transform


def from_zeros(transform: nn.Module) -> nn.Module:
    """As a network leaves it whose last layer starts at zero."""
    for parameter in transform.parameters():
        nn.init.zeros_(parameter)
    return transform


SPLINE_TAILS: dict[str, Any] = {"num_bins": 3, "tails": "linear", "tail_bound": 2.0}

TRANSFORMS: dict[str, Case] = {
    # linear
    "NaiveLinear": vector(lambda: T.NaiveLinear(FEATURES)),
    "LULinear": vector(lambda: T.LULinear(FEATURES)),
    "LULinear, cached": vector(lambda: T.LULinear(FEATURES, using_cache=True)),
    "QRLinear": vector(lambda: T.QRLinear(FEATURES, num_householder=3)),
    "SVDLinear": vector(lambda: T.SVDLinear(FEATURES, num_householder=4)),
    "SVDLinear, cached": vector(lambda: T.SVDLinear(FEATURES, num_householder=4, using_cache=True)),
    "HouseholderSequence": vector(lambda: T.HouseholderSequence(FEATURES, 3)),
    "HouseholderSequence, eight of three features": vector(lambda: T.HouseholderSequence(3, 8)),
    "OneByOneConvolution": image(lambda: T.OneByOneConvolution(2)),
    # normalisation
    "ActNorm": vector(lambda: T.ActNorm(FEATURES)),
    "ActNorm, images": image(lambda: T.ActNorm(2)),
    "BatchNorm": vector(lambda: T.BatchNorm(FEATURES)),
    # reordering and reshaping
    "Permutation": vector(lambda: T.Permutation(torch.tensor([2, 0, 1]))),
    "Permutation, images": image(lambda: T.Permutation(torch.tensor([1, 0]))),
    "RandomPermutation": vector(lambda: T.RandomPermutation(FEATURES)),
    "ReversePermutation": vector(lambda: T.ReversePermutation(FEATURES)),
    "SqueezeTransform": case(T.SqueezeTransform, (2, 2, 4)),
    "SqueezeTransform, factor 3": case(lambda: T.SqueezeTransform(3), (1, 3, 6)),
    "IdentityTransform": vector(T.IdentityTransform),
    # elementwise
    "PointwiseAffineTransform": vector(lambda: T.PointwiseAffineTransform(1.5, 0.5)),
    "PointwiseAffineTransform, vectors": vector(
        lambda: T.PointwiseAffineTransform(torch.linspace(-1, 1, 3), torch.linspace(0.5, 2, 3))
    ),
    "Tanh": vector(T.Tanh),
    "LogTanh": vector(T.LogTanh),
    "LeakyReLU": vector(lambda: T.LeakyReLU(0.6)),
    "Sigmoid": vector(T.Sigmoid),
    "Sigmoid, learned": vector(lambda: T.Sigmoid(learn_temperature=True)),
    "Logit": vector(T.Logit),
    "CauchyCDF": vector(CauchyCDF),
    "CauchyCDFInverse": vector(CauchyCDFInverse),
    "GatedLinearUnit": case(T.GatedLinearUnit, (FEATURES,), (FEATURES,)),
    "GatedLinearUnit, one feature": case(T.GatedLinearUnit, (1,), (1,)),
    "PiecewiseLinearCDF": vector(lambda: T.PiecewiseLinearCDF([FEATURES], num_bins=3)),
    "PiecewiseLinearCDF, tails": vector(lambda: T.PiecewiseLinearCDF([FEATURES], **SPLINE_TAILS)),
    "PiecewiseQuadraticCDF": vector(lambda: T.PiecewiseQuadraticCDF([FEATURES], num_bins=3)),
    "PiecewiseQuadraticCDF, tails": vector(lambda: T.PiecewiseQuadraticCDF([FEATURES], **SPLINE_TAILS)),
    "PiecewiseCubicCDF": vector(lambda: T.PiecewiseCubicCDF([FEATURES], num_bins=3)),
    "PiecewiseCubicCDF, from zeros": vector(lambda: from_zeros(T.PiecewiseCubicCDF([FEATURES], num_bins=3))),
    "PiecewiseCubicCDF, tails": vector(lambda: T.PiecewiseCubicCDF([FEATURES], **SPLINE_TAILS)),
    "PiecewiseRationalQuadraticCDF": vector(lambda: T.PiecewiseRationalQuadraticCDF([FEATURES], num_bins=3)),
    "PiecewiseRationalQuadraticCDF, tails": vector(lambda: T.PiecewiseRationalQuadraticCDF([FEATURES], **SPLINE_TAILS)),
    "CompositeCDFTransform": vector(
        lambda: T.CompositeCDFTransform(T.Sigmoid(), T.PiecewiseRationalQuadraticCDF([FEATURES], num_bins=3))
    ),
    # coupling
    "AdditiveCouplingTransform": vector(lambda: T.AdditiveCouplingTransform(MASK, network)),
    "AffineCouplingTransform": vector(lambda: T.AffineCouplingTransform(MASK, network)),
    "AffineCouplingTransform, conditional": conditional(lambda: T.AffineCouplingTransform(MASK, conditional_network)),
    "AffineCouplingTransform, images": image(lambda: T.AffineCouplingTransform(IMAGE_MASK, convolutions)),
    "PiecewiseLinearCouplingTransform": vector(
        lambda: T.PiecewiseLinearCouplingTransform(MASK, network, **SPLINE_TAILS)
    ),
    "PiecewiseQuadraticCouplingTransform": vector(
        lambda: T.PiecewiseQuadraticCouplingTransform(MASK, network, **SPLINE_TAILS)
    ),
    "PiecewiseCubicCouplingTransform": vector(lambda: T.PiecewiseCubicCouplingTransform(MASK, network, **SPLINE_TAILS)),
    "PiecewiseRationalQuadraticCouplingTransform": vector(
        lambda: T.PiecewiseRationalQuadraticCouplingTransform(MASK, network, **SPLINE_TAILS)
    ),
    "PiecewiseRationalQuadraticCouplingTransform, conditional": conditional(
        lambda: T.PiecewiseRationalQuadraticCouplingTransform(MASK, conditional_network, **SPLINE_TAILS)
    ),
    "PiecewiseRationalQuadraticCouplingTransform, images": image(
        lambda: T.PiecewiseRationalQuadraticCouplingTransform(IMAGE_MASK, convolutions, **SPLINE_TAILS)
    ),
    # autoregressive
    "MaskedAffineAutoregressiveTransform": vector(
        lambda: T.MaskedAffineAutoregressiveTransform(FEATURES, hidden_features=8, num_blocks=1)
    ),
    "MaskedAffineAutoregressiveTransform, conditional": conditional(
        lambda: T.MaskedAffineAutoregressiveTransform(FEATURES, 8, context_features=CONTEXT, num_blocks=1)
    ),
    "MaskedPiecewiseLinearAutoregressiveTransform": vector(
        lambda: T.MaskedPiecewiseLinearAutoregressiveTransform(3, FEATURES, 8, num_blocks=1)
    ),
    "MaskedPiecewiseQuadraticAutoregressiveTransform": vector(
        lambda: T.MaskedPiecewiseQuadraticAutoregressiveTransform(FEATURES, 8, num_blocks=1, **SPLINE_TAILS)
    ),
    "MaskedPiecewiseCubicAutoregressiveTransform": vector(
        lambda: T.MaskedPiecewiseCubicAutoregressiveTransform(3, FEATURES, 8, num_blocks=1)
    ),
    "MaskedPiecewiseRationalQuadraticAutoregressiveTransform": vector(
        lambda: T.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(FEATURES, 8, num_blocks=1, **SPLINE_TAILS)
    ),
    # composition
    "CompositeTransform": vector(
        lambda: T.CompositeTransform([T.ReversePermutation(FEATURES), T.AffineCouplingTransform(MASK, network)])
    ),
    "InverseTransform": vector(lambda: T.InverseTransform(T.AffineCouplingTransform(MASK, network))),
    "MultiscaleCompositeTransform": case(multiscale, (1, 4, 8)),
}
