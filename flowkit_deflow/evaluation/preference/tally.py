"""How often either method was preferred, and whether that is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from flowkit_deflow.evaluation.preference.answers import Answer, Answers
from flowkit_deflow.evaluation.preference.wilson import wilson_interval

__all__ = ["Tally", "Verdict", "Votes", "tally"]

HALF = 0.5


class Verdict(Enum):
    """Whether the first method is preferred; ``value`` is the colour in which that is shown."""

    PREFERRED = "green"
    UNDECIDED = "grey"
    NOT_PREFERRED = "red"


@dataclass(frozen=True)
class Votes:
    """Choices between two methods.

    Attributes:
        first: how many were for the first method.
        all: how many there are.
    """

    first: int
    all: int

    @property
    def share(self) -> float:
        """The part of the choices that was for the first method, from 0 to 1."""
        return self.first / self.all

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Its 95 % interval, Wilson's."""
        return wilson_interval(self.first, self.all)

    @property
    def verdict(self) -> Verdict:
        """Decided where the interval leaves out one half."""
        low, high = self.interval
        if low > HALF:
            return Verdict.PREFERRED
        return Verdict.NOT_PREFERRED if high < HALF else Verdict.UNDECIDED

    @property
    def record(self) -> dict[str, Any]:
        """What JSON holds of it."""
        low, high = self.interval
        verdict = self.verdict.name.lower().replace("_", " ")
        return {"first": self.first, "all": self.all, "share": self.share, "low": low, "high": high, "verdict": verdict}


@dataclass(frozen=True)
class Tally:
    """What became of a study.

    Attributes:
        methods: names of the methods; shares are the first one's.
        total: all choices.
        by_participant: those of each participant.
        by_image: those of each image.
        on_the_left: the choices, by whether the left or the right was chosen: a share far from a half is a habit.
    """

    methods: tuple[str, str]
    total: Votes
    by_participant: dict[int, Votes]
    by_image: dict[str, Votes]
    on_the_left: Votes

    @property
    def record(self) -> dict[str, Any]:
        """What JSON holds of it."""
        return {
            "methods": list(self.methods),
            "total": self.total.record,
            "left": self.on_the_left.share,
            "participants": {str(number): votes.record for number, votes in self.by_participant.items()},
            "images": {image: votes.record for image, votes in self.by_image.items()},
        }


def tally(files: Sequence[Answers]) -> Tally:
    """Count the choices of all participants.

    Args:
        files: the answers of one study, from ``read_answers``.
    """
    everything = [answer for answers in files for answer in answers.answers]
    images = sorted({answer.image for answer in everything})
    return Tally(
        methods=files[0].methods,
        total=_votes(everything),
        by_participant={answers.participant: _votes(answers.answers) for answers in files},
        by_image={image: _votes([answer for answer in everything if answer.image == image]) for image in images},
        on_the_left=Votes(sum(answer.chosen == answer.left for answer in everything), len(everything)),
    )


def _votes(answers: Sequence[Answer]) -> Votes:
    return Votes(sum(answer.chosen == 0 for answer in answers), len(answers))
