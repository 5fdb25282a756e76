"""Whole flows under their usual names, by name, and stored in folders."""

from flowkit.models.architecture import storable
from flowkit.models.folders import whole_folder
from flowkit.models.guidance import guided
from flowkit.models.named.bnaf import bnaf
from flowkit.models.named.bpf import bpf
from flowkit.models.named.cylindrical_nsf import cylindrical_nsf
from flowkit.models.named.ffjord import ffjord
from flowkit.models.named.flow_matching import flow_matching
from flowkit.models.named.gaussianization import gaussianization
from flowkit.models.named.glow import glow
from flowkit.models.named.iaf import iaf
from flowkit.models.named.jet import jet
from flowkit.models.named.maf import maf
from flowkit.models.named.naf import naf
from flowkit.models.named.ncsf import ncsf
from flowkit.models.named.nice import nice
from flowkit.models.named.nsf import nsf
from flowkit.models.named.realnvp import realnvp
from flowkit.models.named.residual import residual
from flowkit.models.named.sospf import sospf
from flowkit.models.named.spherical_nsf import spherical_nsf
from flowkit.models.named.tarflow import tarflow
from flowkit.models.named.unaf import unaf
from flowkit.models.noise_augmentation import NoiseAugmentation
from flowkit.models.recipe import Recipe
from flowkit.models.registry import create_model, list_models, register_model
from flowkit.models.storage import load_model, save_model

__all__ = [
    "NoiseAugmentation",
    "Recipe",
    "bnaf",
    "bpf",
    "create_model",
    "cylindrical_nsf",
    "ffjord",
    "flow_matching",
    "gaussianization",
    "glow",
    "guided",
    "iaf",
    "jet",
    "list_models",
    "load_model",
    "maf",
    "naf",
    "ncsf",
    "nice",
    "nsf",
    "realnvp",
    "register_model",
    "residual",
    "save_model",
    "sospf",
    "spherical_nsf",
    "storable",
    "tarflow",
    "unaf",
    "whole_folder",
]
