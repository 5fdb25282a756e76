"""The models in zuko, which has flows of vectors only: Glow has no counterpart in it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from zuko.distributions import DiagNormal
from zuko.flows import (
    MAF,
    NCSF,
    Flow,
    GeneralCouplingTransform,
    MaskedAutoregressiveTransform,
    UnconditionalDistribution,
    UnconditionalTransform,
)
from zuko.lazy import LazyTransform
from zuko.transforms import LULinearTransform, MonotonicAffineTransform, MonotonicRQSTransform

from benchmarks.density.architectures import Circular, Coupling, Density, Event, Masked, Spline

__all__ = ["maf", "ncsf", "nsf", "nsf_autoregressive", "realnvp"]


def _density(flow: Flow) -> Density:
    return Density(flow, lambda x, context=None: flow(context).log_prob(x))


def _composed(transforms: Sequence[LazyTransform], features: int) -> Density:
    base = UnconditionalDistribution(DiagNormal, torch.zeros(features), torch.ones(features), buffer=True)
    return _density(Flow(list(transforms), base))


def _coupling(features: int, context: int, layer: int, **settings: Any) -> LazyTransform:
    # A mask is true where a feature is kept.
    return GeneralCouplingTransform(features, context, mask=torch.arange(features) % 2 == layer % 2, **settings)


def _mixing(features: int) -> LazyTransform:
    """A matrix in LU form. zuko says nothing of its start: the identity."""
    return UnconditionalTransform(LULinearTransform, torch.eye(features))


def _splines(settings: Spline) -> dict[str, Any]:
    return {
        "univariate": partial(_spline, bound=settings.bound),
        "shapes": [(settings.bins,), (settings.bins,), (settings.bins - 1,)],
        "hidden_features": settings.hidden,
    }


def _spline(*parameters: Tensor, bound: float) -> MonotonicRQSTransform:
    return MonotonicRQSTransform(*parameters, bound=bound)


def maf(event: Event, settings: Masked, context: int = 0) -> Density:
    return _density(MAF(*event, context, transforms=settings.layers, hidden_features=settings.hidden))


def realnvp(event: Event, settings: Coupling, context: int = 0) -> Density:
    (features,) = event
    affine = {"univariate": MonotonicAffineTransform, "shapes": [(), ()], "hidden_features": settings.hidden}
    transforms: list[LazyTransform] = []
    for layer in range(settings.layers):
        transforms += [_coupling(features, context, layer, **affine), _mixing(features)]
    return _composed(transforms, features)


def nsf(event: Event, settings: Spline, context: int = 0) -> Density:
    (features,) = event
    transforms: list[LazyTransform] = []
    for layer in range(settings.layers):
        transforms += [_mixing(features), _coupling(features, context, layer, **_splines(settings))]
    return _composed(transforms, features)


def nsf_autoregressive(event: Event, settings: Spline, context: int = 0) -> Density:
    (features,) = event
    transforms: list[LazyTransform] = []
    for layer in range(settings.layers):
        # The order is reversed at every second layer, as in zuko's own NSF.
        order = torch.arange(features) if layer % 2 == 0 else torch.arange(features).flip(0)
        spline = MaskedAutoregressiveTransform(features, context, order=order, **_splines(settings))
        transforms += [_mixing(features), spline]
    return _composed(transforms, features)


def ncsf(event: Event, settings: Circular) -> Density:
    # Masked networks in two passes, as couplings are, which see the angles themselves.
    return _density(
        NCSF(*event, bins=settings.bins, transforms=settings.layers, passes=2, hidden_features=settings.hidden)
    )
