"""What flows and compositions of distributions are made of."""

import math
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor, nn

from flowkit.bijector import Shape
from flowkit.supports.interval import IntervalSupport, exact_interval
from flowkit.supports.support import Support

__all__ = ["require_distribution", "require_no_others"]

# How far beyond an end a value is looked for: above rounding, below what bases and ends are apart by intent.
BEYOND = 1e-6


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


def require_no_others(base: Any, support: Support, shape: Shape, giver: str) -> None:
    """Refuse a base distribution that has values off a support, whose share the density of the data would lack.

    A few values are looked at: zeros, numbers far out, and those just beyond the ends of an interval.

    Args:
        base: of the latents.
        support: what the latents of data lie on.
        shape: of an event of the latents; of a tuple of latents, of which the base scores each, that of each.
        giver: what gives the latents, for the message.

    Raises:
        ValueError: one of the values is off the support and the base has it.

    Examples:
        >>> from flowkit.distributions.uniform import Uniform
        >>> require_no_others(Uniform(0.0, 1.0), IntervalSupport(lambda dtype: (0.0, 1.0)), (1,), "It")
    """
    if support.is_everything or not hasattr(base, "support"):
        return
    if not all(isinstance(size, int) for size in shape):
        parts = getattr(base, "distributions", [base] * len(shape))
        for part, own in zip(parts, shape, strict=False):
            require_no_others(part, support, own, giver)
        return
    if isinstance(support, IntervalSupport):
        ends = exact_interval(support.ends)
        numbers = [end + BEYOND * way for end, way in zip(ends, (-1, 1), strict=True) if math.isfinite(end)]
        description = "values in ({:g}, {:g})".format(*ends)
    else:
        numbers, description = [0.0, -1e3, 1e3], support.description
    for number in numbers:
        value = torch.full(shape, number, dtype=torch.float64, device="cpu")
        if not bool(support.contains(value)) and _has(base, value, support.event_dims):
            raise ValueError(
                f"{giver} gives {description} and {type(base).__name__} has others as well, whose share the density "
                "would lack: take a base on them, or put a bijector of them between, such as Elementwise(Log()) of "
                "positive ones (a base of your own says where it lies by its support())"
            )


def _has(base: Any, value: Tensor, event_dims: int) -> bool:
    """Whether a value lies where the base's density may be positive; not where that cannot be told."""
    if any(tensor.device.type != "cpu" for tensor in (*base.parameters(), *base.buffers())):
        return False
    return bool(base.support(event_dims).check(value).all())
