"""The libraries, and the models that they have."""

import importlib
from types import ModuleType

import torch

from benchmarks.peers.model import Model
from benchmarks.peers.work import Work

__all__ = ["LIBRARIES", "build", "takes_part"]

LIBRARIES = ("flowkit", "nflows", "normflows", "zuko", "FrEIA")
"""In the tables' order."""


def takes_part(library: str, work: Work) -> bool:
    """Whether a library has what a work needs."""
    return hasattr(_module(library, work), work.model)


def build(library: str, work: Work) -> Model:
    """A model at its start, from the same random numbers each time.

    Args:
        library: one of :data:`LIBRARIES`.
        work: what it is built for.
    """
    torch.manual_seed(0)
    make = getattr(_module(library, work), work.model)
    model: Model = make(work.event, work.settings, *([work.context] if work.context else []))
    return model


def _module(library: str, work: Work) -> ModuleType:
    package = "benchmarks.peers.conditional" if work.context else "benchmarks.peers"
    return importlib.import_module(f"{package}.{library.lower()}_models")
