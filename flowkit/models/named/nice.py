"""NICE for vectors."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from flowkit.bijector import Bijector
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.elementwise import Elementwise
from flowkit.counts import require_counts, require_widths
from flowkit.flow import Flow
from flowkit.models.recipe import remembered
from flowkit.models.standardize import Standardize
from flowkit.models.support import SupportBijector, data_shape, flow_on_support, real_features
from flowkit.models.vector_coupling import vector_coupling
from flowkit.transforms.additive import Additive
from flowkit.transforms.affine import Affine

__all__ = ["nice"]


@remembered("nice")
def nice(
    features: int,
    layers: int = 4,
    hidden: Sequence[int] = (128, 128),
    context_features: int = 0,
    standardize: Standardize = None,
    support: SupportBijector = None,
) -> Flow:
    r"""NICE: additive couplings, which keep the volume, and one scale per feature at the end.

    .. math:: z_K = x_K, \qquad z_i = x_i + b_i(x_K, c) \text{ for } i \notin K; \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right| = \sum_i s_i

    The couplings keep the even and the odd features in turn. It is the most stable of the named flows, and the least
    expressive.

    Args:
        features: entries of a vector, >= 2.
        layers: how many couplings, >= 1; the paper has 4, and no fewer than 3 let all features act on each other.
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
        Dinh, Krueger and Bengio, "NICE: non-linear independent components estimation", ICLR workshop 2015, sec. 3.

    Examples:
        >>> import torch
        >>> flow = nice(3)
        >>> flow.log_prob(torch.rand(5, 3)).shape
        torch.Size([5])
    """
    require_widths(hidden)
    require_counts(0, context_features=context_features)
    require_counts(1, features=features)
    shape, features = data_shape(features, support), real_features(features, support, 2)
    require_counts(1, layers=layers)
    parts: list[Bijector[Any, Any]] = [
        vector_coupling(features, Additive(), layer % 2, hidden, context_features) for layer in range(layers)
    ]
    # The scales are parameters of their own: unlike a network's outputs, they need no bound.
    parts.append(Elementwise(Affine(nn.Identity()), (features,)))
    return flow_on_support(Chain(parts), shape, standardize, support)
