"""Named models of data that are not all of R^n."""

from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import Bijector, Shape
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.parts import require_bijector
from flowkit.distributions.standard_normal import StandardNormal
from flowkit.flow import Flow
from flowkit.models.standardize import Standardize, standardized
from flowkit.supports.interval import IntervalSupport

__all__ = ["SupportBijector", "data_shape", "flow_on_support", "real_features"]

# A model's setting: the bijector that takes the data from their support onto vectors of real numbers, or nothing.
SupportBijector = Bijector[Tensor, Tensor] | None


ANY_NUMBER = "take a model for any number of features, as maf or nsf(autoregressive=True)"


def data_shape(features: int, support: SupportBijector) -> Shape:
    """The event shape of a model's data: vectors, or square matrices where the support's events have two dimensions.

    Args:
        features: entries of a vector, or rows of a matrix.
        support: the setting.

    Returns:
        The event shape.

    Raises:
        TypeError: the support is no bijector.

    Examples:
        >>> from flowkit.bijectors import CorrelationCholesky
        >>> data_shape(3, None), data_shape(3, CorrelationCholesky())
        ((3,), (3, 3))
    """
    if support is None:
        return (features,)
    require_bijector(support, "support")
    return (features,) * support.event_dims


def real_features(features: int, support: SupportBijector, least: int = 1) -> int:
    """How many real numbers describe one event: the entries of the vectors that the model's layers see.

    Args:
        features: entries of a vector of the data, or rows of a matrix.
        support: the setting.
        least: how many the model's layers need.

    Returns:
        The number.

    Raises:
        TypeError: the support is no bijector.
        ValueError: it does not take data of that many features, does not give vectors of real numbers, or leaves too
            few of them.

    Examples:
        >>> from flowkit.bijectors import StickBreaking
        >>> real_features(3, None), real_features(3, StickBreaking())
        (3, 2)
    """
    if support is None:
        if features < least:
            raise ValueError(f"features is {features}; it must be at least {least}: {ANY_NUMBER}")
        return features
    shape = data_shape(features, support)
    latents = support.latent_support() or IntervalSupport(support.codomain)
    if support.latent_event_dims != 1 or not latents.is_everything:
        raise ValueError(
            f"support is a {type(support).__name__}, which does not give vectors of real numbers: take a bijector that "
            "does, as Positive(), Box(lower, upper) or StickBreaking() of flowkit.bijectors"
        )
    (entries,) = support.output_shape(shape)
    if entries < least:
        raise ValueError(
            f"a {type(support).__name__} of {features} features leaves {entries} real numbers, and the layers of this "
            f"model need {least}: {ANY_NUMBER}"
        )
    return int(entries)


def flow_on_support(
    bijector: Bijector[Any, Any], shape: Shape, standardize: Standardize, support: SupportBijector
) -> Flow:
    """The flow of a bijector of standardised vectors: after what takes the data to them, and over the standard normal.

    Args:
        bijector: of standardised vectors of real numbers.
        shape: event shape of the data, as :func:`data_shape` gives it.
        standardize: as for :func:`~flowkit.models.standardize.standardized`; data are those of the support, and are
            taken off it before their mean and deviation are measured.
        support: the setting.

    Returns:
        The flow, whose contexts are vectors.

    Raises:
        TypeError: as for :func:`~flowkit.models.standardize.standardized`.
        ValueError: likewise, or the data do not lie on the support.

    Examples:
        >>> from flowkit import Reversal
        >>> from flowkit.bijectors import Positive
        >>> flow_on_support(Reversal(2), (2,), None, Positive()).sample(5).shape
        torch.Size([5, 2])
    """
    if support is None:
        return Flow(standardized(bijector, standardize, shape), StandardNormal(), shape, context_dims=1)
    if isinstance(standardize, Tensor):
        with torch.no_grad():
            standardize, _ = support(standardize)
    inner = standardized(bijector, standardize, support.output_shape(shape))
    return Flow(Chain([support, inner]), StandardNormal(), shape, context_dims=1)
