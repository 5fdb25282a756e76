"""The libraries, and the models that they have."""

import importlib
import importlib.util
from types import ModuleType

import torch

from benchmarks.peers.model import Model
from benchmarks.peers.work import Work

__all__ = ["LIBRARIES", "build", "takes_part"]

LIBRARIES = ("flowkit", "nflows", "normflows", "zuko", "FrEIA", "pyro")
"""In the tables' order."""


def takes_part(library: str, work: Work, phase: str | None = None) -> bool:
    """Whether a library has what a work needs, and what one of its phases does."""
    module = _module(library, work)
    if module is None or not hasattr(module, work.model):
        return False
    return phase != "sampling" or work.model not in getattr(module, "NO_SAMPLES", ())


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


def _module(library: str, work: Work) -> ModuleType | None:
    """Where a library's models of a kind are; ``None`` where it has none."""
    name = f"{work.room}.{library.lower()}_models"
    return importlib.import_module(name) if importlib.util.find_spec(name) else None
