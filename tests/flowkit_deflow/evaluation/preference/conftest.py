"""Two methods' images, and the pages made of them."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from flowkit_deflow.evaluation.preference.page import StudySettings, write_study
from flowkit_deflow.images.image_files import write_image

SIDE = 16
METHODS = ("blue", "yellow")
COLOURS = {"blue": (0.0, 0.0, 1.0), "yellow": (1.0, 1.0, 0.0)}


class Folders(NamedTuple):
    first: Path
    second: Path
    reference: Path


@pytest.fixture(scope="package")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """Two images of either method, all of one colour: what is on a screen tells whose it is."""
    root = tmp_path_factory.mktemp("preference")
    for number, (height, width) in enumerate(((48, 64), (64, 40))):
        for method, colour in COLOURS.items():
            image = torch.tensor(colour)[:, None, None].expand(3, height, width)
            write_image(root / method / f"{number}.png", image)
        # Degraded images are smaller.
        write_image(root / "reference" / f"{number}.png", torch.rand(3, height // 4, width // 4))
    return Folders(root / METHODS[0], root / METHODS[1], root / "reference")


@pytest.fixture(scope="package")
def page(folders: Folders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two images with three crops each, for four participants."""
    out = tmp_path_factory.mktemp("page") / "page"
    assert write_study(*folders, out, StudySettings(crop=SIDE, participants=4)) == []
    return out


def study(page: Path) -> dict[str, Any]:
    """What a page knows."""
    text = (page / "study.js").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text.removeprefix("const STUDY = ").removesuffix(";\n"))
    return data
