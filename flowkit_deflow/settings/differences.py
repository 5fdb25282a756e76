"""In what two runs' settings differ."""

from typing import Any, NamedTuple

from flowkit_deflow.settings.catalogue import settings
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.settings.sorts import Sort

__all__ = ["Difference", "differences"]


class Difference(NamedTuple):
    """A setting that has two values.

    Attributes:
        name: its path, like ``training.steps``.
        before: its value in the first run.
        now: its value in the second.
        sort: what it decides.
    """

    name: str
    before: Any
    now: Any
    sort: Sort

    def __str__(self) -> str:
        return f"{self.name} was {self.before!r}, now {self.now!r}"


def differences(before: Run, now: Run) -> list[Difference]:
    """The settings in which two runs differ, in the order of the schema.

    Examples:
        >>> from flowkit_deflow.settings.schema import Training
        >>> [str(difference) for difference in differences(Run(), Run(training=Training(steps=500)))]
        ['training.steps was 100000, now 500']
    """
    found = []
    for setting in settings():
        section, name = setting.name.split(".")
        first, second = (getattr(getattr(run, section), name) for run in (before, now))
        if first != second:
            found.append(Difference(setting.name, first, second, setting.sort))
    return found
