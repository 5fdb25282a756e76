"""The libraries, and the models that they have."""

import importlib
from types import ModuleType

import torch

from benchmarks.peers.model import Model
from benchmarks.peers.work import Work

__all__ = ["LIBRARIES", "build", "takes_part"]

LIBRARIES = ("flowkit", "nflows", "normflows", "zuko", "FrEIA")
"""In the tables' order."""


def takes_part(library: str, name: str) -> bool:
    """Whether a library has what a work needs."""
    return hasattr(_module(library), name)


def build(library: str, name: str, work: Work) -> Model:
    """A model at its start, from the same random numbers each time.

    Args:
        library: one of :data:`LIBRARIES`.
        name: the work's.
        work: the work.
    """
    torch.manual_seed(0)
    model: Model = getattr(_module(library), name)(work.event, work.settings)
    return model


def _module(library: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.peers.{library.lower()}_models")
