"""The coupling of the models for vectors."""

from collections.abc import Sequence

from flowkit.bijectors.coupling import Coupling
from flowkit.bijectors.masks import alternating_mask
from flowkit.models.random_shifts import start_with_random_shifts
from flowkit.nn.mlp import MLP
from flowkit.transforms.transform import Transform

__all__ = ["vector_coupling"]


def vector_coupling(
    features: int,
    transform: Transform,
    parity: int,
    hidden: Sequence[int],
    context_features: int,
    random_shifts: bool = False,
) -> Coupling:
    """A coupling that keeps every other feature, its parameters from a multilayer perceptron.

    Args:
        features: entries of a vector, >= 2.
        transform: the elementwise transform.
        parity: 0 to keep the first feature, the third, ...; 1 for the others.
        hidden: widths of the network's hidden layers.
        context_features: entries of the context; 0 for none.
        random_shifts: whether the network, of shifts and log-scales, starts by giving small random shifts; else it
            starts by giving zeros.

    Returns:
        The coupling, over vectors.

    Examples:
        >>> from flowkit import Affine
        >>> vector_coupling(5, Affine(), 0, (16,), 0).output_shape((5,))
        (5,)
    """
    mask = alternating_mask(features, parity)
    kept = int(mask.sum())
    outputs = transform.parameters_per_element * (features - kept)
    network = MLP(kept, outputs, hidden, context_features)
    if random_shifts:
        start_with_random_shifts(network.last)
    return Coupling(features, network, transform, event_dims=1, mask=mask)
