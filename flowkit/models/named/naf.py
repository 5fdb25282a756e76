"""The neural autoregressive flow."""

from collections.abc import Sequence

from flowkit.counts import require_counts
from flowkit.flow import Flow
from flowkit.models.autoregressive_layers import autoregressive_layers
from flowkit.models.recipe import remembered
from flowkit.models.standardize import Standardize
from flowkit.models.support import SupportBijector, data_shape, flow_on_support, real_features
from flowkit.nn.masked_mlp import Rows
from flowkit.transforms.deep_sigmoidal import DeepSigmoidal

__all__ = ["naf"]


@remembered("naf")
def naf(
    features: int,
    layers: int = 3,
    hidden: Sequence[int] = (64, 64),
    units: int = 8,
    depth: int = 2,
    context_features: int = 0,
    standardize: Standardize = None,
    support: SupportBijector = None,
    passes: int | None = None,
    adjacency: Rows | None = None,
) -> Flow:
    r"""The neural autoregressive flow: small monotonic networks whose weights come from masked networks.

    .. math:: z_i = \mathrm{DSF}(x_i;\, \theta_i(x_{<i}, c))

    Densities take one pass of each network; samples are computed feature by feature, each found by 27 calls of
    its transform. Data are to be of about mean 0 and variance 1: see ``standardize``.

    Args:
        features: entries of a vector, >= 1.
        layers: how many autoregressive layers, >= 1.
        hidden: widths of the hidden layers of each layer's masked network.
        units: hidden units of a monotonic network's layer, >= 1.
        depth: layers of a monotonic network, >= 1.
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
        Huang, Krueger, Lacoste and Courville, "Neural autoregressive flows", ICML 2018, sec. 3 (deep sigmoidal flow).

    Examples:
        >>> import torch
        >>> flow = naf(3, layers=2)
        >>> flow.log_prob(torch.rand(5, 3)).shape
        torch.Size([5])
    """
    require_counts(1, features=features, units=units, depth=depth)
    shape, features = data_shape(features, support), real_features(features, support)
    chain = autoregressive_layers(
        features, layers, hidden, context_features, lambda: DeepSigmoidal(units, depth), passes, adjacency
    )
    return flow_on_support(chain, shape, standardize, support)
