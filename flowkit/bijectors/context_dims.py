"""How many dimensions the context of one sample has."""

from collections.abc import Iterator

from torch import nn

from flowkit.bijectors.context_map import ContextMap
from flowkit.nn.guided import Guided

__all__ = ["context_dims_of"]


def context_dims_of(module: nn.Module) -> int | None:
    """The dimensions of the context of one sample, where the networks that say so agree."""
    if any(isinstance(part, ContextMap | Guided) for part in module.modules()):
        return None
    stated = set(_stated_context_dims(module))
    return stated.pop() if len(stated) == 1 else None


def _stated_context_dims(module: nn.Module) -> Iterator[int]:
    """What a module says of its context, or else what its parts say."""
    own = getattr(module, "context_dims", None)
    if own is not None:
        yield own
        return
    for part in module.children():
        yield from _stated_context_dims(part)
