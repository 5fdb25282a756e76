"""One flow of one library at one problem, from one seed."""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar, Protocol

__all__ = ["Figures", "Job", "module_of"]

Figures = dict[str, float]


class Job(Protocol):
    """A frozen dataclass that can be pickled; its fields are all that its results depend on."""

    kind: ClassVar[str]
    """What it is a measurement of."""
    timed_as: ClassVar[str]
    """What :meth:`timed` does once."""

    @property
    def problem(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def library(self) -> str: ...
    @property
    def settings(self) -> Any:
        """The architecture, a dataclass."""

    @property
    def seed(self) -> int: ...

    def measure(self) -> Figures:
        """Train, judge: the figures by name."""

    def timed(self) -> Callable[[], object]:
        """Make ready what is timed beside the other libraries, again and again."""


def module_of(library: str) -> ModuleType:
    """Where a library's samplers are."""
    return importlib.import_module(f"benchmarks.inference.{library}_flows")
