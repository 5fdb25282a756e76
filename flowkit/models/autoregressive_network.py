"""The masked network of an autoregressive layer: what each feature depends on, in the words of the named models."""

from collections.abc import Sequence

from flowkit.nn.made import MADE
from flowkit.nn.masked_mlp import MaskedMLP, Rows, adjacency_in_passes

__all__ = ["autoregressive_network"]


def autoregressive_network(
    features: int,
    parameters_per_feature: int,
    hidden: Sequence[int],
    context_features: int,
    passes: int | None,
    adjacency: Rows | None,
) -> MADE | MaskedMLP:
    """Parameters of each feature from those that it depends on.

    Args:
        features: entries of a vector.
        parameters_per_feature: outputs for each.
        hidden: widths of the hidden layers.
        context_features: entries of the context; 0 for none.
        passes: in how many groups the features are, each depending on those before it; ``None`` for one in each.
        adjacency: a graph over the features in place of that, as :class:`~flowkit.nn.MaskedMLP` takes it.

    Raises:
        ValueError: both are given, or the graph has a cycle or another number of features.

    Examples:
        >>> autoregressive_network(3, 2, (8,), 0, passes=2, adjacency=None).passes
        2
    """
    if passes is not None and adjacency is not None:
        raise ValueError("passes and adjacency are two ways to say which features depend on which: give one of them")
    if passes is not None:
        return MaskedMLP(adjacency_in_passes(features, passes), parameters_per_feature, hidden, context_features)
    if adjacency is None:
        return MADE(features, parameters_per_feature, hidden, context_features)
    if len(adjacency) != features:
        raise ValueError(f"adjacency has {len(adjacency)} rows; the layers see {features} features")
    return MaskedMLP(adjacency, parameters_per_feature, hidden, context_features)
