"""A quantity that is watched in training, and what its course means."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.monitors.history import History, Scalars
from flowkit_deflow.training.monitors.snapshot import Snapshot

__all__ = ["Finding", "Monitor"]


class Finding(NamedTuple):
    """What a monitor has to say of a training.

    Attributes:
        measured: the figures, in words.
        advice: what to do; empty where nothing is to be done.
    """

    measured: str
    advice: str = ""


@dataclass(frozen=True)
class Monitor:
    """A quantity of a model, measured on held-out images without pairs.

    Attributes:
        title: its name, in words.
        measure: its scalars, by name; empty where the model has no such quantity.
        find: from the training's history and settings to a finding; ``None`` where nothing was measured.
    """

    title: str
    measure: Callable[[Snapshot], Scalars]
    find: Callable[[History, Run], Finding | None]
