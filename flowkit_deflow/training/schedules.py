"""How the learning rate falls in the course of a training, by the name in a run's settings."""

import math
from collections.abc import Callable

from flowkit_deflow.settings.schema import Training

__all__ = ["SCHEDULES", "Schedule", "cosine", "halve", "rate_factor"]

Schedule = Callable[[int, Training], float]
"""From a step, counted from 0, and the settings to a factor on the learning rate."""


def halve(step: int, training: Training) -> float:
    """Half the learning rate after each of the fractions ``halve_at`` of the steps.

    Examples:
        >>> [halve(step, Training(steps=4, halve_at=(0.5, 0.75))) for step in range(4)]
        [1.0, 1.0, 0.5, 0.25]
    """
    return 0.5 ** sum(step >= fraction * training.steps for fraction in training.halve_at)


def cosine(step: int, training: Training) -> float:
    r"""Half a cosine, :math:`\frac{1}{2} (1 + \cos \pi t / T)`: from 1 at the first step to 0 after the last.

    References:
        I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, eq. 5, without
        restarts.

    Examples:
        >>> [round(cosine(step, Training(steps=4)), 3) for step in range(4)]
        [1.0, 0.854, 0.5, 0.146]
    """
    return (1 + math.cos(math.pi * step / training.steps)) / 2


SCHEDULES: dict[str, Schedule] = {"halve": halve, "cosine": cosine}


def rate_factor(step: int, training: Training) -> float:
    """The factor on the learning rate at a step, by the warm-up and the schedule.

    Examples:
        >>> [rate_factor(step, Training(steps=4, warmup=2, halve_at=(0.75,))) for step in range(4)]
        [0.5, 1.0, 1.0, 0.5]
    """
    return min(1.0, (step + 1) / max(training.warmup, 1)) * SCHEDULES[training.schedule](step, training)
