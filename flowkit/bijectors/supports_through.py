"""What data lie on before layers that move their entries, or turn vectors, and one that says so."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from flowkit.bijector import Bijector
from flowkit.bijectors.inverse import Inverse
from flowkit.bijectors.split import Split
from flowkit.supports.moved import MovedSupport
from flowkit.supports.sphere import SphereSupport
from flowkit.supports.support import Support

__all__ = ["support_before"]


def support_before(parts: Sequence[Bijector[Any, Any]], inverse: bool = False) -> Support | None:
    """The support of the data of layers that run one after another.

    Args:
        parts: the layers.
        inverse: whether their inverses run, in this order: the support is one of latents.

    Returns:
        That of the first one which does more than move entries or turn vectors, seen from before these; ``None`` where
        it has none, or where events are tuples on the way.

    Examples:
        >>> from flowkit import Reversal
        >>> from flowkit.bijectors import Moebius, Ordered
        >>> type(support_before([Reversal(3), Ordered()])).__name__, type(support_before([Moebius(3)])).__name__
        ('MovedSupport', 'SphereSupport')
    """
    place = next((place for place, part in enumerate(parts) if not (part.moves_entries or part.keeps_lengths)), None)
    if place is None:
        return None
    support = parts[place].latent_support() if inverse else parts[place].data_support()
    movers = parts[:place]
    of_vectors = all(mover.event_dims == mover.latent_event_dims == 1 for mover in movers)
    if support is None or not movers or (isinstance(support, SphereSupport) and of_vectors):
        return support
    if any(isinstance(module, Split) for mover in movers for module in mover.modules()):
        return None
    there = [Inverse(mover) if inverse else mover for mover in movers]
    back = [mover if inverse else Inverse(mover) for mover in reversed(movers)]
    return MovedSupport(support, lambda x: _run(there, x), lambda x: _run(back, x), there[0].event_dims)


def _run(parts: Sequence[Bijector[Any, Any]], x: Tensor) -> Tensor:
    for part in parts:
        x, _ = part.run(x, part.prepare(None))
    return x
