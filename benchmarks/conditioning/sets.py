"""Unpaired sets of images with pairs to judge by."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.conditioning.kinds import KINDS
from flowkit_deflow.images.image_files import list_images, read_image
from flowkit_deflow.images.noise import seeded_generator

__all__ = ["UnpairedSets", "sets"]

IMAGES = 60  # of a domain
JUDGED = 30  # pairs


class UnpairedSets(NamedTuple):
    """Clean and degraded images of different scenes, and pairs whose degraded halves are in neither."""

    name: str
    clean: list[Tensor]
    degraded: list[Tensor]
    pairs: list[tuple[Tensor, Tensor]]


def sets(photographs: Path, polyu: Path) -> Iterator[UnpairedSets]:
    """Ten kinds made of clean photographs, and PolyU's camera noise both ways.

    Args:
        photographs: a folder of clean photographs, 150 or more (BSDS500).
        polyu: a folder with ``dev/clean``, ``dev/noisy`` and ``unpaired_split.json``.
    """
    images = [read_image(file) for file in list_images(photographs)]
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(7)).tolist()
    clean, other, judged = order[:IMAGES], order[IMAGES : 2 * IMAGES], order[-JUDGED:]
    for name, degrade in KINDS.items():
        made = {index: degrade(images[index], seeded_generator(index, name)) for index in (*other, *judged)}
        yield UnpairedSets(
            name,
            [images[index] for index in clean],
            [made[index] for index in other],
            [(images[index], made[index]) for index in judged],
        )
    split = json.loads((polyu / "unpaired_split.json").read_text(encoding="utf-8"))
    for name, first, second in (("PolyU", "clean", "noisy"), ("PolyU, swapped", "noisy", "clean")):
        read = {
            (part, scene): read_image(polyu / "dev" / part / f"{scene}.jpg")
            for part, scenes in (("clean", split[first]), ("noisy", [*split[first], *split[second]]))
            for scene in scenes
        }
        yield UnpairedSets(
            name,
            [read["clean", scene] for scene in split[first]],
            [read["noisy", scene] for scene in split[second]],
            [(read["clean", scene], read["noisy", scene]) for scene in split[first]],
        )
