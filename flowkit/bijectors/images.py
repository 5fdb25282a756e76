"""Which interval the entries of latents fill, layer by layer."""

from collections.abc import Iterable
from typing import Any

import torch

from flowkit.bijector import REAL_LINE, Bijector, Interval
from flowkit.ops.values import readable
from flowkit.supports.interval import exact_interval

__all__ = ["ends_mapped", "interval_filled", "own_domain"]


def own_domain(parts: Iterable[Any]) -> Interval:
    """Where data must lie for layers that run one after another: the domain of the first one that changes entries."""
    changing = next((part for part in parts if not getattr(part, "moves_entries", False)), None)
    return exact_interval(changing.domain) if isinstance(changing, Bijector) else REAL_LINE


def interval_filled(parts: Iterable[Any], data: Interval, taker: str) -> Interval:
    """The interval that the entries fill behind layers that run one after another.

    Args:
        parts: bijectors, or stochastic maps: what has ``image_of``.
        data: the interval of the data's entries.
        taker: what is made of the layers, for the message.

    Returns:
        Its ends, in exact arithmetic.

    Raises:
        ValueError: a layer takes more than those before it give, so that a density would lack a share.

    Examples:
        >>> from flowkit import Elementwise, Reversal, Softplus
        >>> interval_filled([Elementwise(Softplus()), Reversal(2)], REAL_LINE, "Chain")
        (0.0, inf)
    """
    filled, before = data, "the data"
    for part in parts:
        image = part.image_of(filled)
        if image is None:
            raise ValueError(
                f"in a {taker}, {before} gives values in ({filled[0]:g}, {filled[1]:g}) and {type(part).__name__} "
                "after it takes others as well, whose share a density would lack: put a bijector of those alone "
                "between, such as Elementwise(Log()) of positive ones"
            )
        if image != filled:
            before = type(part).__name__
        filled = image
    return filled


@torch.no_grad()
def ends_mapped(bijector: Bijector[Any, Any], interval: Interval) -> Interval | None:
    """The image of a part of the domain under what maps each entry by itself, monotonically.

    Args:
        bijector: the map, without context.
        interval: the ends of the part.

    Returns:
        The ends between which all images lie, the codomain's where the map has no numbers yet; ``None`` where the map
        has no value at an end.

    Examples:
        >>> from flowkit import FixedAffine
        >>> ends_mapped(FixedAffine(loc=0.5, scale=0.5), (0.0, 1.0))
        (-1.0, 1.0)
    """
    state = [*bijector.parameters(), *bijector.buffers()]
    if not all(readable(tensor) for tensor in state):
        return exact_interval(bijector.codomain)
    ends = torch.tensor(interval, dtype=torch.float64, device=state[0].device if state else "cpu")
    mapped = bijector._forward(ends.reshape(2, *[1] * bijector.event_dims), None)[0]
    return None if bool(mapped.isnan().any()) else (float(mapped.min()), float(mapped.max()))
