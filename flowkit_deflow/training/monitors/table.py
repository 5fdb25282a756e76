"""The quantities that are watched in training."""

from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.monitors.code_length import CODE_LENGTH
from flowkit_deflow.training.monitors.domain_evidence import DOMAIN_EVIDENCE
from flowkit_deflow.training.monitors.history import History
from flowkit_deflow.training.monitors.monitor import Finding, Monitor
from flowkit_deflow.training.monitors.roughness import ROUGHNESS
from flowkit_deflow.training.monitors.saturation import SATURATION
from flowkit_deflow.training.monitors.shift_growth import SHIFT_GROWTH

__all__ = ["MONITORS", "findings"]

MONITORS: tuple[Monitor, ...] = (CODE_LENGTH, DOMAIN_EVIDENCE, SATURATION, SHIFT_GROWTH, ROUGHNESS)
"""In the order of the report; a new quantity is a file and a name here."""


def findings(history: History, run: Run) -> list[tuple[str, Finding]]:
    """What the monitors have to say of a training, by their titles.

    Examples:
        >>> findings(History(), Run())
        []
    """
    found = ((monitor.title, monitor.find(history, run)) for monitor in MONITORS)
    return [(title, finding) for title, finding in found if finding is not None]
