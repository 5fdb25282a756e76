"""Whether layers that run one after another fit, and which interval their latents fill."""

from collections.abc import Iterable
from typing import Any

import torch

from flowkit.bijector import REAL_LINE, Bijector, Interval
from flowkit.ops.values import readable
from flowkit.supports.interval import covers, exact_interval
from flowkit.supports.sphere import SphereSupport
from flowkit.supports.support import Support

__all__ = ["ends_mapped", "interval_filled", "own_domain"]

# Of any interval: what has an image of it maps entry by entry.
A_PART = (0.25, 0.75)


def own_domain(parts: Iterable[Any]) -> Interval:
    """Where data must lie for layers that run one after another: the domain of the first one that changes entries."""
    changing = next((part for part in parts if not getattr(part, "moves_entries", False)), None)
    return exact_interval(changing.domain) if isinstance(changing, Bijector) else REAL_LINE


def interval_filled(parts: Iterable[Any], data: Interval, taker: str) -> Interval:
    """The interval that the entries fill behind layers that run one after another, which are to fit.

    Args:
        parts: bijectors, or stochastic maps: what has ``image_of``.
        data: the interval of the data's entries.
        taker: what is made of the layers, for the message.

    Returns:
        Its ends, in exact arithmetic.

    Raises:
        ValueError: a layer takes more than those before it give, so that a density would lack a share; or what is for
            data on a support comes behind layers of real numbers.

    Examples:
        >>> from flowkit import Elementwise, Reversal, Softplus
        >>> interval_filled([Elementwise(Softplus()), Reversal(2)], REAL_LINE, "Chain")
        (0.0, inf)
    """
    filled, before = data, "the data"
    support: Support | None = None
    # Of what moves, shifts and scales data alone, nobody knows where they lie.
    is_free = True
    for part in parts:
        if getattr(part, "moves_entries", False) or (isinstance(support, SphereSupport) and _keeps_lengths(part)):
            continue
        name, own = type(part).__name__, _bound(part.data_support() if isinstance(part, Bijector) else None)
        given = "values in ({:g}, {:g})".format(*filled) if support is None else support.description
        if not is_free and ((own is not None and support is None) or _takes_less(part, filled)):
            lower, upper = exact_interval(part.domain)
            taken = f"values in ({lower:g}, {upper:g})" if own is None else own.description
            raise ValueError(
                f"in a {taker}, {before} gives {given} and {name} after it takes {taken} alone: what takes data onto "
                f"real numbers comes first, as in Chain([{name}(...), ...])"
            )
        image = None if support is not None and own is None else part.image_of(filled)
        if image is None:
            raise ValueError(
                f"in a {taker}, {before} gives {given} and {name} after it takes others as well, whose share a density "
                "would lack: put a bijector of those alone between, such as Elementwise(Log()) of positive ones"
            )
        is_free = is_free and (_keeps_lengths(part) or part.image_of(A_PART) is not None)
        filled, before = image, name
        support = _bound(part.latent_support() if isinstance(part, Bijector) else None)
    return filled


def _keeps_lengths(part: Any) -> bool:
    return bool(getattr(part, "keeps_lengths", False))


def _bound(support: Support | None) -> Support | None:
    """A support on which the entries of an event are bound to each other, as on a sphere."""
    return None if support is None or support.is_product else support


def _takes_less(part: Any, filled: Interval) -> bool:
    """Whether it takes an interval onto all real numbers, and is given more than that."""
    if not isinstance(part, Bijector) or exact_interval(part.codomain) != REAL_LINE:
        return False
    return not covers(exact_interval(part.domain), filled)


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
    event = torch.broadcast_shapes((1,) * bijector.event_dims, *(tensor.shape for tensor in state))
    mapped = bijector._forward(ends.reshape(2, *[1] * len(event)).expand(2, *event), None)[0]
    return None if bool(mapped.isnan().any()) else (float(mapped.min()), float(mapped.max()))
