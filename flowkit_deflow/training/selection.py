"""Which of the monitored steps a run's model is from."""

from collections.abc import Callable
from math import inf, isfinite, log

from flowkit_deflow.training.monitors.domain_evidence import NOTHING, separation
from flowkit_deflow.training.monitors.history import Scalars

__all__ = ["SELECTIONS", "Selection", "improves"]

Selection = Callable[[Scalars], float]
"""From the scalars of a monitored step to a figure, the smaller the better."""


def code_length(scalars: Scalars) -> float:
    """Bits per dimension of held-out images, both domains together."""
    return scalars["bits_clean"] + scalars["bits_degraded"]


def evidence(scalars: Scalars) -> float:
    """How far the evidence that separates the domains is from what the model expects: the log of their ratio."""
    observed, expected = separation(scalars)
    # Next to no shift is expected at the start, and found: that is no success.
    return abs(log(observed / expected)) if min(observed, expected) > NOTHING else inf


SELECTIONS: dict[str, Selection | None] = {"last": None, "code_length": code_length, "evidence": evidence}
"""By the name in a run's settings; without a figure, the last step is kept."""


def improves(figure: float, best: float | None) -> bool:
    """Whether a figure is better than the best so far; one that is not finite never is.

    Examples:
        >>> improves(2.0, None), improves(2.0, 1.5), improves(float("nan"), None)
        (True, False, False)
    """
    return isfinite(figure) and (best is None or figure < best)
