"""In what two runs' settings differ."""

from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from flowkit_deflow.settings.catalogue import settings
from flowkit_deflow.settings.sorts import Sort

__all__ = ["Difference", "differences"]

T = TypeVar("T")


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


def differences(before: T, now: T) -> list[Difference]:
    """The settings in which two runs of one kind differ, in the order of the schema.

    Examples:
        >>> from flowkit_deflow.settings.schema import Run, Training
        >>> [str(difference) for difference in differences(Run(), Run(training=Training(steps=500)))]
        ['training.steps was 100000, now 500']
    """
    found = []
    for setting in settings(type(before)):
        value_of = attrgetter(setting.name)
        first, second = value_of(before), value_of(now)
        if first != second:
            found.append(Difference(setting.name, first, second, setting.sort))
    return found
