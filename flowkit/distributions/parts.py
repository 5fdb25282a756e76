"""What flows and compositions of distributions are made of."""

from typing import Any

import torch.distributions as td
from torch import nn

__all__ = ["require_distribution"]


def require_distribution(value: Any, taker: str) -> None:
    """Refuse what is no base distribution.

    Args:
        value: what was given.
        taker: what takes it, for the message.

    Raises:
        TypeError: it is none.

    Examples:
        >>> from flowkit.distributions.standard_normal import StandardNormal
        >>> require_distribution(StandardNormal(), "Flow")
    """
    # By what it has, not by its class: a compiled module is none.
    if isinstance(value, nn.Module) and hasattr(value, "log_prob") and hasattr(value, "sample"):
        return
    name = type(value).__name__
    if isinstance(value, td.Distribution):
        hint = f"torch's {name}: wrap it, TorchDistribution({name}, ...) of its class and tensors"
    elif isinstance(value, type):
        hint = f"the class {value.__name__}: make one, {value.__name__}(...)"
    else:
        hint = f"{name}: take one of flowkit.distributions, as StandardNormal()"
    raise TypeError(f"{taker} takes a base distribution, got {hint}")
