"""Flows made by hand as data: what each part is and what it was made with."""

from flowkit.models.architecture.building import build
from flowkit.models.architecture.classes import storable
from flowkit.models.architecture.describing import describe

__all__ = ["build", "describe", "storable"]
