"""The masked autoregressive flow."""

from collections.abc import Sequence
from typing import Any

from flowkit.bijector import Bijector
from flowkit.bijectors.autoregressive import MaskedAutoregressive
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.permutation import Reversal
from flowkit.counts import require_counts, require_widths
from flowkit.flow import Flow
from flowkit.models.autoregressive_network import autoregressive_network
from flowkit.models.random_shifts import start_with_random_shifts
from flowkit.models.recipe import remembered
from flowkit.models.standardize import Standardize
from flowkit.models.support import SupportBijector, data_shape, flow_on_support, real_features
from flowkit.nn.masked_mlp import Rows
from flowkit.transforms.scale_shift import ScaleShift

__all__ = ["maf"]


@remembered("maf")
def maf(
    features: int,
    layers: int = 5,
    hidden: Sequence[int] = (64, 64),
    context_features: int = 0,
    standardize: Standardize = None,
    support: SupportBijector = None,
    passes: int | None = None,
    adjacency: Rows | None = None,
) -> Flow:
    r"""The masked autoregressive flow: affine layers, each feature given those before it, and reversals between.

    .. math:: z_i = x_i\, e^{s_i(x_{<i}, c)} + b_i(x_{<i}, c)

    Densities take one pass of each network; samples are computed feature by feature. Data are to be of about mean 0
    and variance 1: see ``standardize``. A new flow shifts a little, at random, and keeps volumes.

    Args:
        features: entries of a vector, >= 1.
        layers: how many autoregressive layers, >= 1.
        hidden: widths of the hidden layers of each layer's masked network.
        context_features: entries of the context; 0 for an unconditional flow.
        standardize: data ``batch x features`` whose mean and standard deviation are taken out first, as a fixed
            layer; a :class:`~flowkit.FixedAffine` of your own; ``None`` for data of about mean 0 and variance 1.
        support: what takes the data from where they lie onto vectors of real numbers, a bijector: ``Positive()``,
            ``Box(lower, upper)``, ``StickBreaking()`` and others of ``flowkit.bijectors``; ``None`` for real data.
        passes: in how many passes samples are drawn, from 1 to ``features``: the features are in so many groups, each
            of which depends on those before it, 2 being a coupling; ``None`` for feature by feature.
        adjacency: a graph over the features (those of the support's real numbers): rows of booleans, true where the
            feature of the row depends on that of the column, or a tensor of them; as for
            :class:`~flowkit.nn.MaskedMLP`. All layers follow it, without reversals between them, and samples take as
            many passes as its longest path has features. ``None`` for all features before each.

    Returns:
        A flow over vectors ``batch x features``, its base the standard normal.

    Raises:
        ValueError: a size is too small, the support does not take the data to vectors of real numbers, or the graph has
            a cycle or another number of features.
        TypeError: a size is no integer.

    References:
        Papamakarios, Pavlakou and Murray, "Masked autoregressive flow for density estimation", NeurIPS 2017, sec. 3.

    Examples:
        >>> import torch
        >>> flow = maf(3, context_features=4)
        >>> flow.log_prob(torch.rand(5, 3), context=torch.rand(5, 4)).shape
        torch.Size([5])
    """
    require_widths(hidden)
    require_counts(0, context_features=context_features)
    require_counts(1, features=features, layers=layers)
    shape, features = data_shape(features, support), real_features(features, support)
    parts: list[Bijector[Any, Any]] = []
    for _ in range(layers):
        network = autoregressive_network(features, 2, hidden, context_features, passes, adjacency)
        start_with_random_shifts(network.last)
        parts.append(MaskedAutoregressive(features, network, ScaleShift()))
        if adjacency is None:
            parts.append(Reversal(features))
    return flow_on_support(Chain(parts), shape, standardize, support)
