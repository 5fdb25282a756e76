"""The layers of autoregressive models for vectors."""

from collections.abc import Callable, Sequence
from typing import Any

from flowkit.bijector import Bijector
from flowkit.bijectors.autoregressive import MaskedAutoregressive
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.permutation import Reversal
from flowkit.counts import require_counts, require_widths
from flowkit.models.autoregressive_network import autoregressive_network
from flowkit.nn.masked_mlp import Rows
from flowkit.transforms.transform import Transform

__all__ = ["autoregressive_layers"]


def autoregressive_layers(
    features: int,
    layers: int,
    hidden: Sequence[int],
    context_features: int,
    make_transform: Callable[[], Transform],
    passes: int | None = None,
    adjacency: Rows | None = None,
) -> Chain:
    """Autoregressive layers, each with a masked network and a transform of its own, and reversals between them.

    Args:
        features: entries of a vector, >= 1.
        layers: how many, >= 1.
        hidden: widths of the hidden layers of each layer's masked network.
        context_features: entries of the context; 0 for none.
        make_transform: makes an elementwise transform, called once for each layer.
        passes: in how many groups the features are, each depending on those before it; ``None`` for one in each.
        adjacency: a graph over the features, which all layers follow, without reversals.

    Returns:
        The chain.

    Raises:
        ValueError: a size is too small, or the graph has a cycle or another number of features.
        TypeError: a size is no integer.

    Examples:
        >>> from flowkit import Affine
        >>> len(autoregressive_layers(3, 2, (8,), 0, Affine).parts)
        3
    """
    require_widths(hidden)
    require_counts(0, context_features=context_features)
    require_counts(1, features=features, layers=layers)
    parts: list[Bijector[Any, Any]] = []
    for layer in range(layers):
        if layer and adjacency is None:
            parts.append(Reversal(features))
        transform = make_transform()
        count = transform.parameters_per_element
        network = autoregressive_network(features, count, hidden, context_features, passes, adjacency)
        parts.append(MaskedAutoregressive(features, network, transform))
    return Chain(parts)
