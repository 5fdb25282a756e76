"""How layers call the networks that set their parameters."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from torch import Tensor, nn

from flowkit.half_precision import cast_for

__all__ = ["apply_conditioner", "prepare_conditioner"]


def prepare_conditioner(conditioner: nn.Module, context: Any) -> Any:
    """What a conditioner computes from the context alone: its ``prepare(context)`` if it has one, else the context.

    Args:
        conditioner: any module.
        context: the context, or ``None``.

    Returns:
        What :func:`apply_conditioner` is to be given.

    Raises:
        ValueError: there is a context, and the conditioner is called with the data alone.

    Examples:
        >>> prepare_conditioner(nn.Bilinear(1, 1, 2), "context")
        'context'
    """
    prepare = getattr(conditioner, "prepare", None)
    if context is not None and prepare is None and not _takes_context(type(conditioner).forward):
        raise ValueError(
            f"a {type(conditioner).__name__} takes no context: leave the context out, or take a network that does, as "
            "flowkit.MLP(..., context_features=3)"
        )
    context = cast_for(conditioner, context)
    return context if prepare is None else prepare(context)


def apply_conditioner(conditioner: nn.Module, x: Tensor, prepared: Any) -> Tensor:
    """The conditioner's output for ``x``: called with ``x`` alone where there is no context.

    Args:
        conditioner: any module.
        x: the part of the data that it sees.
        prepared: what :func:`prepare_conditioner` returned.

    Returns:
        The raw parameters.
    """
    x = cast_for(conditioner, x)
    return conditioner(x) if prepared is None else conditioner(x, prepared)


@cache
def _takes_context(forward: Callable[..., Any]) -> bool:
    """Whether a class's method takes the data and a context."""
    try:
        inspect.signature(forward).bind(None, None, None)
    except TypeError:
        return False
    return True
