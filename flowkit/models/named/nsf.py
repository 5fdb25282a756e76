"""Neural spline flows."""

from collections.abc import Sequence
from typing import Any

import torch

from flowkit.bijector import Bijector
from flowkit.bijectors.autoregressive import MaskedAutoregressive
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.lu import LULinear
from flowkit.counts import require_counts, require_widths
from flowkit.flow import Flow
from flowkit.models.autoregressive_network import autoregressive_network
from flowkit.models.recipe import remembered
from flowkit.models.standardize import Standardize
from flowkit.models.support import SupportBijector, data_shape, flow_on_support, real_features
from flowkit.models.vector_coupling import vector_coupling
from flowkit.nn.masked_mlp import Rows
from flowkit.transforms.rational_quadratic import RationalQuadraticSpline

__all__ = ["nsf"]


@remembered("nsf")
def nsf(
    features: int,
    layers: int = 5,
    hidden: Sequence[int] = (64, 64),
    bins: int = 8,
    bound: float = 5.0,
    autoregressive: bool = False,
    context_features: int = 0,
    max_ratio: float | None = 1000.0,
    standardize: Standardize = None,
    support: SupportBijector = None,
    passes: int | None = None,
    adjacency: Rows | None = None,
) -> Flow:
    r"""A neural spline flow: rational-quadratic splines whose knots come from networks, in couplings or autoregressive.

    .. math:: z_K = x_K, \quad z_i = S(x_i;\, \theta_i(x_K, c)) \text{ for } i \notin K
              \qquad \text{or} \qquad z_i = S(x_i;\, \theta_i(x_{<i}, c))

    ``S`` is a monotonic spline of ``bins`` pieces on ``[-bound, bound]`` and the identity outside. Before each layer
    a learned matrix in LU form mixes the features; between autoregressive layers it starts as a reversal. Couplings
    are fast both ways; autoregressive layers are more expressive, but sample feature by feature. Data are to be of
    about mean 0 and variance 1, within the bound: see ``standardize``.

    Args:
        features: entries of a vector, >= 2 for couplings, >= 1 for autoregressive layers.
        layers: how many spline layers, >= 1.
        hidden: widths of the hidden layers of each layer's network.
        bins: pieces of a spline, >= 2.
        bound: where the splines end, > 0.
        autoregressive: whether the layers are autoregressive; else they are couplings.
        context_features: entries of the context; 0 for an unconditional flow.
        max_ratio: how many times as wide, or as high, as another a bin may become, > 1: it keeps many layers
            invertible in float32; ``None`` for no such bound, as in version 0.1.
        standardize: data ``batch x features`` whose mean and standard deviation are taken out first, as a fixed
            layer; a :class:`~flowkit.FixedAffine` of your own; ``None`` for data of about mean 0 and variance 1.
        support: what takes the data from where they lie onto vectors of real numbers, a bijector: ``Positive()``,
            ``Box(lower, upper)``, ``StickBreaking()`` and others of ``flowkit.bijectors``; ``None`` for real data.
        passes: of autoregressive layers: in how many passes samples are drawn, from 1 to ``features``: the features
            are in so many groups, each of which depends on those before it, 2 being a coupling; ``None`` for feature by
            feature.
        adjacency: of autoregressive layers: a graph over the features (those of the support's real numbers), rows of
            booleans, true where the feature of the row depends on that of the column, or a tensor of them; as for
            :class:`~flowkit.nn.MaskedMLP`. All layers follow it, without matrices that mix features, and samples take
            as many passes as its longest path has features. ``None`` for all features before each.

    Returns:
        A flow over vectors ``batch x features``, its base the standard normal.

    Raises:
        ValueError: a size is too small, the support does not take the data to vectors of real numbers, or the graph has
            a cycle or another number of features; passes or a graph are given for couplings.
        TypeError: a size is no integer.

    References:
        Durkan, Bekasov, Murray and Papamakarios, "Neural spline flows", NeurIPS 2019, sec. 3 and 4.

    Examples:
        >>> import torch
        >>> flow = nsf(3, layers=2)
        >>> flow.log_prob(torch.rand(5, 3)).shape
        torch.Size([5])
        >>> nsf(1, layers=2, autoregressive=True).sample(5).shape
        torch.Size([5, 1])
    """
    require_widths(hidden)
    require_counts(0, context_features=context_features)
    require_counts(1, features=features)
    shape, features = data_shape(features, support), real_features(features, support, 1 if autoregressive else 2)
    require_counts(1, layers=layers)
    if not autoregressive and (passes is not None or adjacency is not None):
        raise ValueError(
            "passes and adjacency are of autoregressive layers: pass autoregressive=True, or leave them out"
        )
    parts: list[Bijector[Any, Any]] = []
    for layer in range(layers):
        if adjacency is None:
            # Without a reversal, the first feature would depend on no other in any autoregressive layer.
            start = torch.eye(features).flip(0) if autoregressive and layer else torch.eye(features)
            parts.append(LULinear(features, start=start))
        spline = RationalQuadraticSpline(bins, bound, max_ratio=max_ratio)
        if autoregressive:
            count = spline.parameters_per_element
            network = autoregressive_network(features, count, hidden, context_features, passes, adjacency)
            parts.append(MaskedAutoregressive(features, network, spline))
        else:
            parts.append(vector_coupling(features, spline, layer % 2, hidden, context_features))
    return flow_on_support(Chain(parts), shape, standardize, support)
