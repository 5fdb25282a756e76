"""Residual flows for vectors."""

from collections.abc import Sequence
from typing import Any

from flowkit.bijector import Bijector
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.elementwise import Elementwise
from flowkit.bijectors.residual import Residual
from flowkit.bijectors.residual_log_det import ExactLogDet, RussianRouletteLogDet
from flowkit.counts import require_counts, require_widths
from flowkit.flow import Flow
from flowkit.models.recipe import remembered
from flowkit.models.standardize import Standardize
from flowkit.models.support import SupportBijector, data_shape, flow_on_support, real_features
from flowkit.nn.lipschitz import LipschitzMLP
from flowkit.transforms.affine import Affine

__all__ = ["residual"]

# The slope of a block: the unbiased estimate's variance is finite where it is below the square root of the chance
# that the series goes on.
COEFFICIENT = 0.97
CONTINUATION = 0.95


@remembered("residual")
def residual(
    features: int,
    blocks: int = 8,
    hidden: Sequence[int] = (64, 64),
    context_features: int = 0,
    exact: bool = True,
    standardize: Standardize = None,
    support: SupportBijector = None,
) -> Flow:
    r"""A residual flow: invertible residual blocks, and a shift and a scale per feature before each.

    .. math:: z = x + g(x, c), \qquad \mathrm{Lip}(g) < 1

    The blocks are free-form: every feature acts on every other in each. The inverse is found by iteration. After
    ``eval()`` log-determinants are exact; in training they are exact too, at the cost of a Jacobian per block, or an
    unbiased estimate whose cost does not grow with the number of features.

    Args:
        features: entries of a vector, >= 1.
        blocks: how many residual blocks, >= 1.
        hidden: widths of the hidden layers of each block's network.
        context_features: entries of the context; 0 for an unconditional flow.
        exact: whether log-determinants are exact in training; else they are the unbiased estimate, for vectors of
            many (about a hundred) features.
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
        Behrmann, Grathwohl, Chen, Duvenaud and Jacobsen, "Invertible residual networks", ICML 2019; Chen, Behrmann,
        Duvenaud and Jacobsen, "Residual flows for invertible generative modeling", NeurIPS 2019, sec. 3.

    Examples:
        >>> import torch
        >>> flow = residual(2, blocks=2, hidden=(16,))
        >>> flow.log_prob(torch.rand(5, 2)).shape
        torch.Size([5])
    """
    require_widths(hidden)
    require_counts(0, context_features=context_features)
    require_counts(1, features=features, blocks=blocks)
    shape, features = data_shape(features, support), real_features(features, support)
    parts: list[Bijector[Any, Any]] = []
    for _ in range(blocks):
        network = LipschitzMLP(features, hidden, context_features, COEFFICIENT)
        log_det = ExactLogDet() if exact else RussianRouletteLogDet(CONTINUATION)
        parts += [Elementwise(Affine(), (features,)), Residual(network, log_det)]
    return flow_on_support(Chain(parts), shape, standardize, support)
