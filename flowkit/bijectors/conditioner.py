"""How layers call the networks that set their parameters."""

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

    Examples:
        >>> prepare_conditioner(nn.Identity(), "context")
        'context'
    """
    prepare = getattr(conditioner, "prepare", None)
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
