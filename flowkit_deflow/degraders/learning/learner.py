"""How a kind of degrader is learned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from flowkit_deflow.degraders.degrader import Degrader
from flowkit_deflow.errors import UserError

__all__ = ["SETTINGS", "Learned", "Learner"]

SETTINGS = "degrader.yaml"
"""The file of a run's settings, by which its folder is known."""


class Learned(NamedTuple):
    """What became of learning.

    Attributes:
        degrader: the degrader, on the CPU.
        problems: a message for each image that could not be used.
    """

    degrader: Degrader
    problems: list[str]


@dataclass(frozen=True)
class Learner:
    """A kind of degrader that can be learned.

    Attributes:
        name: its name on the command line.
        presets: its settings by name; the first are the usual ones.
        learn: learns it by the settings, in the folder of a run, with a progress bar or without.
    """

    name: str
    presets: Mapping[str, Any]
    learn: Callable[[Any, Path, bool], Learned]

    def preset(self, name: str | None) -> Any:
        """Settings by name; ``None`` for the usual ones.

        Raises:
            UserError: no such preset; the nearest name is proposed.
        """
        if name is None:
            return next(iter(self.presets.values()))
        if name not in self.presets:
            near = get_close_matches(name.lower(), self.presets, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(self.presets)}"
            raise UserError(f"preset {name!r} of the degrader {self.name!r} is unknown; {hint}")
        return self.presets[name]
