"""The block neural autoregressive flow."""

from typing import Any

from flowkit.bijector import Bijector
from flowkit.bijectors.block_autoregressive import BlockNeuralAutoregressive
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.permutation import Reversal
from flowkit.counts import require_counts
from flowkit.flow import Flow
from flowkit.models.recipe import remembered
from flowkit.models.standardize import Standardize
from flowkit.models.support import SupportBijector, data_shape, flow_on_support, real_features
from flowkit.nn.block_autoregressive import BlockAutoregressive

__all__ = ["bnaf"]


@remembered("bnaf")
def bnaf(
    features: int,
    layers: int = 3,
    units: int = 8,
    depth: int = 2,
    context_features: int = 0,
    standardize: Standardize = None,
    support: SupportBijector = None,
) -> Flow:
    r"""The block neural autoregressive flow: networks that are increasing in each feature, given those before it.

    .. math:: z_i = g_i\, f_i(x_{\le i}, c) + (1 - g_i)\, x_i

    Unlike :func:`~flowkit.naf`, it needs no second network for the parameters of the first. Densities take one pass of
    each network; samples are found feature by feature, numerically: it is for densities above all. Data are to be of
    about mean 0 and variance 1: see ``standardize``.

    Args:
        features: entries of a vector, >= 1.
        layers: how many networks, >= 1, with reversals between.
        units: of each feature in a hidden layer, >= 1.
        depth: hidden layers of a network, >= 1.
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
        De Cao, Titov and Aziz, "Block neural autoregressive flow", UAI 2019, sec. 3.

    Examples:
        >>> import torch
        >>> flow = bnaf(3, layers=2)
        >>> flow.log_prob(torch.rand(5, 3)).shape
        torch.Size([5])
    """
    require_counts(0, context_features=context_features)
    require_counts(1, features=features, layers=layers, units=units, depth=depth)
    shape, features = data_shape(features, support), real_features(features, support)
    parts: list[Bijector[Any, Any]] = []
    for layer in range(layers):
        if layer:
            parts.append(Reversal(features))
        parts.append(BlockNeuralAutoregressive(BlockAutoregressive(features, units, depth, context_features)))
    return flow_on_support(Chain(parts), shape, standardize, support)
