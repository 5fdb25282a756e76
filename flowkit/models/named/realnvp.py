"""RealNVP for vectors."""

from collections.abc import Sequence
from typing import Any

import torch

from flowkit.bijector import Bijector
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.lu import LULinear
from flowkit.counts import require_counts, require_widths
from flowkit.flow import Flow
from flowkit.models.recipe import remembered
from flowkit.models.standardize import Standardize
from flowkit.models.support import SupportBijector, data_shape, flow_on_support, real_features
from flowkit.models.vector_coupling import vector_coupling
from flowkit.transforms.scale_shift import ScaleShift

__all__ = ["realnvp"]


@remembered("realnvp")
def realnvp(
    features: int,
    layers: int = 8,
    hidden: Sequence[int] = (128, 128),
    context_features: int = 0,
    standardize: Standardize = None,
    support: SupportBijector = None,
) -> Flow:
    r"""RealNVP: affine couplings, which keep the even and the odd features in turn.

    .. math:: z_K = x_K, \qquad z_i = x_i\, e^{s_i(x_K, c)} + b_i(x_K, c) \text{ for } i \notin K

    Each coupling is followed by a learned matrix in LU form, so that each coupling can combine any features. Both
    directions take one pass of each network. Data are to be of about mean 0 and variance 1: see ``standardize``. A new
    flow shifts a little, at random, and keeps volumes.

    Args:
        features: entries of a vector, >= 2.
        layers: how many couplings, >= 1; with fewer than 2, half of the features are only mixed linearly.
        hidden: widths of the hidden layers of each coupling's network.
        context_features: entries of the context; 0 for an unconditional flow.
        standardize: data ``batch x features`` whose mean and standard deviation are taken out first, as a fixed
            layer; a :class:`~flowkit.FixedAffine` of your own; ``None`` for data of about mean 0 and variance 1.
        support: what takes the data from where they lie onto vectors of real numbers, a bijector: ``Positive()``,
            ``Box(lower, upper)``, ``StickBreaking()`` and others of ``flowkit.bijectors``; ``None`` for real data.

    Returns:
        A flow over vectors ``batch x features``, its base the standard normal.

    Raises:
        ValueError: a size is too small, or the support does not take the data to vectors of real numbers.
        TypeError: a size is no integer.

    References:
        Dinh, Sohl-Dickstein and Bengio, "Density estimation using Real NVP", ICLR 2017; the matrix: Kingma and
        Dhariwal, "Glow", NeurIPS 2018, sec. 3.2.

    Examples:
        >>> import torch
        >>> flow = realnvp(3, layers=2, context_features=4)
        >>> flow.log_prob(torch.rand(5, 3), context=torch.rand(5, 4)).shape
        torch.Size([5])
        >>> flow.sample(7, context=torch.rand(1, 4)).shape
        torch.Size([7, 3])
    """
    require_widths(hidden)
    require_counts(0, context_features=context_features)
    require_counts(1, features=features)
    shape, features = data_shape(features, support), real_features(features, support, 2)
    require_counts(1, layers=layers)
    parts: list[Bijector[Any, Any]] = []
    for layer in range(layers):
        coupling = vector_coupling(features, ScaleShift(), layer % 2, hidden, context_features, random_shifts=True)
        parts += [coupling, LULinear(features, start=torch.eye(features))]
    return flow_on_support(Chain(parts), shape, standardize, support)
