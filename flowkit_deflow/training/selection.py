"""Figures of held-out images by which a run's model is chosen among its monitored steps."""

from collections.abc import Callable, Sequence
from math import inf, isfinite, log, sqrt
from statistics import fmean, variance
from typing import NamedTuple

from flowkit_deflow.training.monitors.domain_evidence import NOTHING, separation
from flowkit_deflow.training.monitors.history import Scalars
from flowkit_deflow.training.monitors.snapshot import Snapshot

__all__ = ["SELECTIONS", "Difference", "Figure", "Selection", "difference", "improves"]

# Standard errors by which two steps differ where their difference is not taken for chance.
ERRORS = 2.0
# A crop's difference that counts in full, in bits per dimension: steps of a training that goes well differ by a tenth.
LARGEST = 1.0


class Figure(NamedTuple):
    """What a monitored step is judged by.

    Attributes:
        value: the figure, the smaller the better.
        parts: the held-out crops' own figures, a sequence for each domain; the value is the sum of the domains' means.
            Empty where the value is no such sum: nothing is known of its error then.
    """

    value: float
    parts: tuple[tuple[float, ...], ...] = ()


Selection = Callable[[Snapshot, Scalars], Figure]
"""From a monitored step, and what was measured of it, to its figure."""


def code_length(snapshot: Snapshot, scalars: Scalars) -> Figure:
    """Bits per dimension of held-out images, both domains together."""
    parts = tuple(tuple(bits.tolist()) for bits in snapshot.bits.values())
    return Figure(sum(map(fmean, parts)), parts)


def evidence(snapshot: Snapshot, scalars: Scalars) -> Figure:
    """How far the evidence that separates the domains is from what the model expects: the log of their ratio."""
    if "evidence_clean" not in scalars:
        # The domains are scored alike: there is nothing to choose by.
        return Figure(inf)
    observed, expected = separation(scalars)
    # Next to no shift is expected at the start, and found: that is no success.
    return Figure(abs(log(observed / expected)) if min(observed, expected) > NOTHING else inf)


SELECTIONS: dict[str, Selection | None] = {"code_length": code_length, "evidence": evidence, "last": None}
"""By the name in a run's settings; ``last`` has no figure."""


def improves(figure: Figure, best: Figure | None) -> bool:
    """Whether a figure is better than the best so far; one that is not finite never is.

    Examples:
        >>> improves(Figure(2.0), None), improves(Figure(2.0), Figure(1.5)), improves(Figure(float("nan")), None)
        (True, False, False)
    """
    return isfinite(figure.value) and (best is None or figure.value < best.value)


class Difference(NamedTuple):
    """How much two figures differ.

    Attributes:
        mean: the first less the second.
        error: its standard error; 0 where nothing is known of it.
    """

    mean: float
    error: float

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the first is greater by more than the figures' own error."""
        return self.mean > ERRORS * self.error


def difference(first: Figure, second: Figure) -> Difference:
    r"""The difference of two figures of the same crops, with its standard error.

    .. math::

        \delta = \sum_d \bar x_d, \qquad s^2 = \sum_d \frac{1}{n_d} \operatorname{Var}_i\left[x_{di}\right], \qquad
        x_{di} = \min(\max(a_{di} - b_{di}, -1), 1)

    over the domains d with :math:`n_d` crops i. Crops differ by far more than steps do: only their differences tell.
    One that is described absurdly must not hide that all others are described worse: it counts for at most 1.

    Args:
        first: one figure.
        second: the other.

    Examples:
        >>> difference(Figure(3.0, ((1.0, 2.0, 3.0), (1.0, 1.0))), Figure(2.0, ((0.5, 1.5, 2.5), (0.5, 0.5))))
        Difference(mean=1.0, error=0.0)
        >>> difference(Figure(2.05, ((1.8, 2.3), (0.0, 0.0))), Figure(2.0, ((1.9, 2.1), (0.0, 0.0)))).is_beyond_chance
        False
    """
    if not first.parts or not second.parts:
        return Difference(first.value - second.value, 0.0)
    domains = [
        [min(max(a - b, -LARGEST), LARGEST) for a, b in zip(*domain, strict=True)]
        for domain in zip(first.parts, second.parts, strict=True)
    ]
    return Difference(sum(map(fmean, domains)), sqrt(sum(map(_variance_of_mean, domains))))


def _variance_of_mean(values: Sequence[float]) -> float:
    """How much the mean of values scatters; of one value, that is not known."""
    return variance(values) / len(values) if len(values) > 1 else inf
