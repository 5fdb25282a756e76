"""What is compared: which models on which data, with which budget."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

from benchmarks.density.architectures import GLOW, MAF, NSF, REALNVP, Circular
from benchmarks.density.data import TABLES
from benchmarks.density.directions import DIRECTIONS
from benchmarks.density.toys import TOYS
from benchmarks.density.training import Budget

__all__ = ["LIBRARIES", "QUICK", "RECORD", "Group", "Job", "jobs", "settings"]

LIBRARIES = ("flowkit", "nflows", "zuko", "normflows")
"""This one first, then its peers."""


@dataclass(frozen=True)
class Group:
    """Data of one kind, each of which every model learns."""

    name: str
    data: tuple[str, ...]
    models: dict[str, Any]
    """Architecture by the model's name: that of a function in each library's module."""
    budget: Budget
    seeds: tuple[int, ...] = (0, 1, 2)


TOY_GROUP = Group(
    "toys",
    tuple(TOYS),
    {"maf": MAF, "realnvp": replace(REALNVP, layers=6), "nsf": replace(NSF, layers=3)},
    Budget(steps=350),
)

PIXEL_GROUP = Group(
    "pixels",
    ("colours", "patches_4x4"),
    TOY_GROUP.models | {"nsf_autoregressive": replace(NSF, layers=3)},
    Budget(steps=350),
)

SMALL = (32, 32)

TABLE_GROUP = Group(
    "tables",
    tuple(name for name in TABLES if name not in PIXEL_GROUP.data),
    {
        "maf": replace(MAF, layers=3, hidden=SMALL),
        "realnvp": replace(REALNVP, layers=4, hidden=SMALL),
        "nsf": replace(NSF, layers=3, hidden=SMALL),
        "nsf_autoregressive": replace(NSF, layers=3, hidden=SMALL),
    },
    # A model soon knows a hundred samples by heart: a slow start, and many checks.
    Budget(steps=400, batch=128, learning_rate=1e-3, checks=20),
)

SPHERES = ("caps", "belt")

ANGLE_GROUP = Group(
    "angles", tuple(name for name in DIRECTIONS if name not in SPHERES), {"ncsf": Circular()}, TOY_GROUP.budget
)

SPHERE_GROUP = Group("spheres", SPHERES, {"spherical_nsf": Circular(layers=4, hidden=(64, 64))}, TOY_GROUP.budget)

IMAGE_GROUP = Group(
    "images", ("digits", "patches_8x8"), {"glow": GLOW}, Budget(steps=300, batch=64, learning_rate=2e-3)
)

LARGE_IMAGE_GROUP = Group(
    "large images",
    ("patches_32x32",),
    {"glow": replace(GLOW, levels=3)},
    Budget(steps=150, batch=32, learning_rate=2e-3),
)

RECORD = (TOY_GROUP, ANGLE_GROUP, SPHERE_GROUP, PIXEL_GROUP, TABLE_GROUP, IMAGE_GROUP, LARGE_IMAGE_GROUP)
"""The comparison of record."""

QUICK = (
    replace(
        TOY_GROUP,
        data=("eight_gaussians",),
        models={"nsf": TOY_GROUP.models["nsf"]},
        budget=replace(TOY_GROUP.budget, steps=150),
        seeds=(0, 1),
    ),
    replace(
        TABLE_GROUP, data=("iris",), models={"maf": MAF}, budget=replace(TABLE_GROUP.budget, steps=40), seeds=(0, 1)
    ),
    replace(
        IMAGE_GROUP,
        data=("digits",),
        models={"glow": replace(GLOW, steps=1, hidden=16)},
        budget=replace(IMAGE_GROUP.budget, steps=10),
        seeds=(0, 1),
    ),
)
"""One of each kind, far too short to compare anything: shows that all of it runs."""


@dataclass(frozen=True)
class Job:
    """One model, of one library, trained once."""

    group: Group
    data: str
    model: str
    library: str
    seed: int


def jobs(groups: Sequence[Group]) -> list[Job]:
    """All runs; those of one cell of the tables follow each other."""
    return [Job(group, *rest) for group in groups for rest in product(group.data, group.models, LIBRARIES, group.seeds)]


def settings(groups: Sequence[Group]) -> dict[str, Any]:
    """The groups' figures, to be kept with the results."""
    return {
        group.name: {
            "models": {name: asdict(architecture) for name, architecture in group.models.items()},
            "budget": asdict(group.budget),
            "seeds": list(group.seeds),
        }
        for group in groups
    }
