"""Intervals: the same one for every entry."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.supports.support import Support

__all__ = ["EndsOf", "IntervalSupport", "covers", "exact_interval", "within"]

# What ends differ by that are the same but for the rounding of float32.
ROUNDING = 1e-6

FLOAT32, FLOAT64 = torch.finfo(torch.float32).eps, torch.finfo(torch.float64).eps

# From a data type to the ends of an open interval.
EndsOf = Callable[[torch.dtype], tuple[float, float]]


class IntervalSupport(Support):
    r"""Events whose every entry lies in one open interval, which may depend on the data type: :math:`(a, b)^n`.

    Args:
        ends: from a data type to the two ends; a bijector's ``domain``, say.
        event_dims: how many trailing dimensions make one event.

    References:
        D. J. Rezende, S. Mohamed, "Variational Inference with Normalizing Flows", ICML 2015.

    Examples:
        >>> from flowkit.transforms import Logit
        >>> IntervalSupport(Logit().domain).contains(torch.tensor([[0.5], [1.5]]))
        tensor([ True, False])
    """

    def __init__(self, ends: EndsOf, event_dims: int = 1) -> None:
        self.ends = ends
        self.event_dims = event_dims

    @property
    def description(self) -> str:  # type: ignore[override]
        """Between which ends the numbers are."""
        lower, upper = exact_interval(self.ends)
        return "real numbers" if self.is_everything else f"numbers in the open interval ({lower:g}, {upper:g})"

    @property
    def is_everything(self) -> bool:
        """Whether the interval is the real line, but for what a data type cannot hold."""
        return exact_interval(self.ends) == (-math.inf, math.inf)

    @property
    def is_product(self) -> bool:
        """Yes."""
        return True

    def contains(self, value: Tensor) -> Tensor:
        """Whether all entries of each event lie in the interval."""
        lower, upper = self.ends(value.dtype)
        return ((value > lower) & (value < upper)).flatten(value.ndim - self.event_dims).all(-1)

    def draw(
        self, shape: tuple[int, ...], batch: tuple[int, ...], dtype: torch.dtype, generator: torch.Generator
    ) -> Tensor:
        """Normal numbers, bent into the interval where it has no room for them."""
        normal = torch.randn(*batch, *shape, dtype=torch.float64, generator=generator)
        return within(normal, self.ends(dtype)).to(dtype)


def within(normal: Tensor, interval: tuple[float, float]) -> Tensor:
    """Normal numbers bent into an open interval: none comes nearer to an end than some hundredths.

    Args:
        normal: numbers of order 1, of any shape.
        interval: the ends; infinite, or so far off that they mark an overflow, they change nothing.

    Returns:
        Numbers of the same shape.

    Examples:
        >>> within(torch.tensor([-9.0, 0.0, 9.0]), (0.0, 1.0))
        tensor([0.0201, 0.5000, 0.9799])
    """
    lower, upper = interval
    margin, far = 0.05, 10.0
    if upper - lower <= 2 * far:
        return lower + (upper - lower) * (0.02 + 0.96 * torch.sigmoid(normal))
    # An end beyond these marks an overflow: normal numbers do not come near it.
    if lower > -far:
        return lower + margin + F.softplus(normal)
    if upper < far:
        return upper - margin - F.softplus(normal)
    return normal


def exact_interval(ends: EndsOf) -> tuple[float, float]:
    """The interval in exact arithmetic: a data type's own limits are replaced by what they stand for.

    A logarithm takes the positive numbers, of which a data type holds those between its smallest and its largest
    one. Such limits are recognised by their growth with the precision; a sampler that took them for the ends of the
    support would map the real line onto ``(2e-308, 1.8e308)`` by a sigmoid and overflow.

    Args:
        ends: a bijector's ``domain`` or ``codomain``.

    Returns:
        The ends: 0 where they shrink from float32 to float64, infinity where they grow; else those of float64, less
        what the precision adds to them, as to a circle's, so that a sampler may come to the very end.

    Examples:
        >>> from flowkit.transforms import Log
        >>> exact_interval(Log().domain)
        (0.0, inf)
    """
    coarse, fine = ends(torch.float32), ends(torch.float64)
    return _exact_end(coarse[0], fine[0], max), _exact_end(coarse[1], fine[1], min)


def covers(interval: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether an interval holds another one, up to rounding.

    Args:
        interval: its ends.
        other: the ends of the other one.

    Returns:
        The answer.

    Examples:
        >>> covers((0.0, math.inf), (0.0, 1.0)), covers((0.0, 1.0), (0.0, math.inf))
        (True, False)
    """
    (lower, upper), (first, last) = interval, other
    return (first >= lower or math.isclose(first, lower, rel_tol=ROUNDING, abs_tol=ROUNDING)) and (
        last <= upper or math.isclose(last, upper, rel_tol=ROUNDING, abs_tol=ROUNDING)
    )


def _exact_end(coarse: float, fine: float, narrower: Callable[[float, float], float]) -> float:
    if coarse == fine:
        return fine
    # An end that is merely rounded differs by a few epsilons of float32, some 1e-6 of itself.
    if math.isclose(coarse, fine, rel_tol=1e-5):
        return narrower(fine, fine - (coarse - fine) * FLOAT64 / (FLOAT32 - FLOAT64))
    return 0.0 if abs(fine) < abs(coarse) else math.copysign(math.inf, fine)
