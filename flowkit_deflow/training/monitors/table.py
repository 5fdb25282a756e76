"""The quantities that are watched in training."""

from collections.abc import Callable

from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.monitors.code_length import CODE_LENGTH
from flowkit_deflow.training.monitors.domain_evidence import DOMAIN_EVIDENCE
from flowkit_deflow.training.monitors.history import History
from flowkit_deflow.training.monitors.monitor import Finding, Monitor
from flowkit_deflow.training.monitors.noise_in_h import find_noise_in_h
from flowkit_deflow.training.monitors.roughness import ROUGHNESS
from flowkit_deflow.training.monitors.saturation import SATURATION
from flowkit_deflow.training.monitors.shift_growth import SHIFT_GROWTH

__all__ = ["MONITORS", "findings"]

MONITORS: tuple[Monitor, ...] = (CODE_LENGTH, DOMAIN_EVIDENCE, SATURATION, SHIFT_GROWTH)
"""What is looked at every so many steps; a new quantity is a file and a name here."""

FINDERS: dict[str, Callable[[History, Run], Finding | None]] = {
    **{monitor.title: monitor.find for monitor in MONITORS},
    # What the finished model and its data show.
    ROUGHNESS.title: ROUGHNESS.find,
    "noise in h": find_noise_in_h,
}
"""In the order of the report."""


def findings(history: History, run: Run) -> list[tuple[str, Finding]]:
    """What the monitors have to say of a training, by their titles.

    Examples:
        >>> findings(History(), Run())
        []
    """
    found = ((title, find(history, run)) for title, find in FINDERS.items())
    return [(title, finding) for title, finding in found if finding is not None]
