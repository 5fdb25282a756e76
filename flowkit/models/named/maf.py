"""The masked autoregressive flow."""

from collections.abc import Sequence
from typing import Any

from flowkit.bijector import Bijector
from flowkit.bijectors.autoregressive import MaskedAutoregressive
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.permutation import Reversal
from flowkit.distributions.standard_normal import StandardNormal
from flowkit.flow import Flow
from flowkit.models.counts import require_counts, require_widths
from flowkit.models.recipe import remembered
from flowkit.models.standardize import Standardize, standardized
from flowkit.nn.made import MADE
from flowkit.transforms.scale_shift import ScaleShift

__all__ = ["maf"]


@remembered("maf")
def maf(
    features: int,
    layers: int = 5,
    hidden: Sequence[int] = (64, 64),
    context_features: int = 0,
    standardize: Standardize = None,
) -> Flow:
    r"""The masked autoregressive flow: affine layers, each feature given those before it, and reversals between.

    .. math:: z_i = x_i\, e^{s_i(x_{<i}, c)} + b_i(x_{<i}, c)

    Densities take one pass of each network; samples are computed feature by feature. Data are to be of about mean 0
    and variance 1: see ``standardize``.

    Args:
        features: entries of a vector, >= 1.
        layers: how many autoregressive layers, >= 1.
        hidden: widths of the hidden layers of each layer's masked network.
        context_features: entries of the context; 0 for an unconditional flow.
        standardize: data ``batch x features`` whose mean and standard deviation are taken out first, as a fixed
            layer; a :class:`~flowkit.FixedAffine` of your own; ``None`` for data of about mean 0 and variance 1.

    Returns:
        A flow over vectors ``batch x features``, its base the standard normal.

    Raises:
        ValueError: a size is too small.
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
    parts: list[Bijector[Any, Any]] = []
    for _ in range(layers):
        network = MADE(features, 2, hidden, context_features)
        parts += [MaskedAutoregressive(features, network, ScaleShift()), Reversal(features)]
    bijector = standardized(Chain(parts), standardize, (features,))
    return Flow(bijector, StandardNormal(), (features,), context_dims=1)
