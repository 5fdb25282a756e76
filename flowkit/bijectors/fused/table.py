"""Which neighbours in a chain are run as one."""

from collections.abc import Sequence
from typing import Any

from flowkit.bijector import Bijector
from flowkit.bijectors.activations.choice import Part
from flowkit.bijectors.actnorm import ActNorm
from flowkit.bijectors.channel_mixing import ChannelMixing
from flowkit.bijectors.coupling import Coupling
from flowkit.bijectors.fused.normalized_mixing import NormalizedMixing
from flowkit.bijectors.injected_coupling import InjectedCoupling
from flowkit.bijectors.injector import Injector
from flowkit.nn.conv import ConvConditioner

__all__ = ["joined"]


def joined(parts: Sequence[Bijector[Any, Any]]) -> list[Part]:
    """The parts of a chain, neighbours joined that are faster as one.

    These are an actnorm and a matrix over the same channels behind it, and an injector and a coupling behind it whose
    networks are both :class:`~flowkit.ConvConditioner`.

    Args:
        parts: in forward order; no part changes.

    Returns:
        What to run in their place. An actnorm that has no start yet stays by itself.

    Examples:
        >>> from flowkit import LULinear
        >>> norm = ActNorm(2, event_dims=1)
        >>> norm.mark_initialized()
        >>> [type(part).__name__ for part in joined([norm, LULinear(2), norm])]
        ['NormalizedMixing', 'ActNorm']
    """
    found: list[Part] = []
    for part in parts:
        before = found[-1] if found else None
        if isinstance(before, ActNorm) and isinstance(part, ChannelMixing) and _normalizes(before, part):
            found[-1] = NormalizedMixing(before, part)
        elif isinstance(before, Injector) and isinstance(part, Coupling) and _share_products(before, part):
            found[-1] = InjectedCoupling(before, part)
        else:
            found.append(part)
    return found


def _normalizes(norm: ActNorm, mixing: ChannelMixing) -> bool:
    return (
        norm.is_initialized
        and not norm.collecting
        and (norm.channels, norm.event_dims) == (mixing.channels, mixing.event_dims)
        # Where the matrix need not be formed, it is not.
        and type(mixing)._multiply is ChannelMixing._multiply
    )


def _share_products(injector: Injector, coupling: Coupling) -> bool:
    # A class derived from these may do something else.
    return (type(injector), type(coupling)) == (Injector, Coupling) and all(
        type(part.conditioner) is ConvConditioner for part in (injector, coupling)
    )
