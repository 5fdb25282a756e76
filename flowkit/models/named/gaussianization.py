"""The Gaussianization flow."""

from collections.abc import Sequence
from typing import Any

from flowkit.bijector import Bijector
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.elementwise import Elementwise
from flowkit.bijectors.householder import Householder
from flowkit.bijectors.injector import Injector
from flowkit.counts import require_counts, require_widths
from flowkit.flow import Flow
from flowkit.models.recipe import remembered
from flowkit.models.standardize import Standardize
from flowkit.models.support import SupportBijector, data_shape, flow_on_support, real_features
from flowkit.nn.mlp import MLP
from flowkit.transforms.normal_mixture import NormalMixture

__all__ = ["gaussianization"]


@remembered("gaussianization")
def gaussianization(
    features: int,
    layers: int = 6,
    components: int = 8,
    hidden: Sequence[int] = (64, 64),
    context_features: int = 0,
    standardize: Standardize = None,
    support: SupportBijector = None,
) -> Flow:
    r"""The Gaussianization flow: each feature made normal by a mixture's distribution function, and rotations between.

    .. math:: z_i = \Phi^{-1}\left(\sum_k w_{ik}\, \Phi(a_{ik} (x_i - \mu_{ik}))\right), \qquad x \leftarrow R\, z

    It has no network, unless there is a context: the mixtures and the rotations, products of reflections, are its
    parameters. Both directions work on all features at once; the inverse of a mixture is found numerically. Data are to
    be of about mean 0 and variance 1: see ``standardize``.

    Args:
        features: entries of a vector, >= 1.
        layers: how many layers of mixtures, >= 1.
        components: of a mixture, >= 1.
        hidden: widths of the hidden layers of the networks that make mixtures of the context, if there is one.
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
        Meng, Song, Song and Ermon, "Gaussianization flows", AISTATS 2020, sec. 3; Chen and Gopinath,
        "Gaussianization", NeurIPS 2000.

    Examples:
        >>> import torch
        >>> flow = gaussianization(3, layers=2)
        >>> flow.log_prob(torch.rand(5, 3)).shape
        torch.Size([5])
    """
    require_widths(hidden)
    require_counts(0, context_features=context_features)
    require_counts(1, features=features, layers=layers, components=components)
    shape, features = data_shape(features, support), real_features(features, support)
    parts: list[Bijector[Any, Any]] = []
    for layer in range(layers):
        mixture = NormalMixture(components)
        # Of a single feature there is nothing to rotate.
        if layer and features > 1:
            parts.append(Householder(features))
        if context_features:
            network = MLP(context_features, mixture.parameters_per_element * features, hidden)
            parts.append(Injector(features, network, mixture, event_dims=1))
        else:
            parts.append(Elementwise(mixture, (features,)))
    return flow_on_support(Chain(parts), shape, standardize, support)
