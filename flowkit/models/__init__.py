"""Whole flows under their usual names, by name, and stored in folders."""

from flowkit.models.ffjord import ffjord
from flowkit.models.glow import glow
from flowkit.models.iaf import iaf
from flowkit.models.maf import maf
from flowkit.models.nice import nice
from flowkit.models.nsf import nsf
from flowkit.models.realnvp import realnvp
from flowkit.models.recipe import Recipe
from flowkit.models.registry import create_model, list_models
from flowkit.models.residual import residual
from flowkit.models.storage import load_model, save_model

__all__ = [
    "Recipe",
    "create_model",
    "ffjord",
    "glow",
    "iaf",
    "list_models",
    "load_model",
    "maf",
    "nice",
    "nsf",
    "realnvp",
    "residual",
    "save_model",
]
