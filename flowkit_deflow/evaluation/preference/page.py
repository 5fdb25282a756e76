"""The page of a preference study: one folder that a browser opens without a server."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.preference.crops import crop_windows
from flowkit_deflow.evaluation.preference.scenes import ReadScene, match_scenes, readable
from flowkit_deflow.evaluation.preference.sessions import sessions
from flowkit_deflow.files import atomic_folder
from flowkit_deflow.images.image_files import to_uint8, write_image
from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.images.resize import Window, bicubic_downsample

__all__ = ["FORMAT", "StudySettings", "write_study"]

FORMAT = "flowkit-deflow preference 1"
ASSETS = ("index.html", "page.css", "page.js")
DATA = "study.js"
CROPS, WHOLE = "crops", "whole"
# No screen shows more of a whole image beside the crops (pixels).
LONGEST_SIDE = 1024


@dataclass(frozen=True)
class StudySettings:
    """What is asked, of how many people, about which crops.

    Attributes:
        question: stands above each pair.
        crop: side of the crops (pixels).
        crops: of each image.
        participants: how many sessions there are.
        seed: places, orders and sides depend on this, and places on the images' names.

    Raises:
        ValueError: a number is below 1.
    """

    question: str = "Which of the two looks better?"
    crop: int = 80
    crops: int = 3
    participants: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("crop", "crops", "participants"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")


@dataclass(frozen=True)
class _Pair:
    """A place in an image that two methods are compared at; all paths lead from the page's folder."""

    image: str
    window: Window
    shape: tuple[int, int]
    crops: tuple[str, str]
    whole: str

    @property
    def record(self) -> dict[str, Any]:
        """What the page has to know, with the place in fractions of the image's sides."""
        (height, width), window = self.shape, self.window
        mark = [window.left / width, window.top / height, window.width / width, window.height / height]
        return {"image": self.image, "crops": self.crops, "whole": self.whole, "mark": mark}


def write_study(
    first: Path,
    second: Path,
    reference: Path,
    out: Path,
    settings: StudySettings,
    *,
    strict: bool = False,
    progress: Callable[[], object] = lambda: None,
) -> list[str]:
    """Write a page that shows crops of two methods' images side by side and asks which is preferred.

    The names of files and everything on the screen leave open which method is which.

    Args:
        first: folder of one method's images.
        second: folder of the other's, by the same names and of the same sizes.
        reference: folder of the whole images in which the crops are marked, by the same names.
        out: the page's folder; the same study's page is replaced.
        settings: what is asked.
        strict: stop at the first image that cannot be used.
        progress: called after each image.

    Returns:
        A message for each image that could not be used.

    Raises:
        UserError: images do not fit each other, none can be used, the folder holds another study's page, or the page
            cannot be written.
    """
    scenes = match_scenes(first, second, reference)
    problems: list[str] = []
    pairs: list[_Pair] = []
    digest = hashlib.sha256()
    with atomic_folder(out, replaces=(*ASSETS, DATA, CROPS, WHOLE)) as folder:
        for scene in readable(scenes, settings.crop, strict, problems):
            pairs += _write_pairs(scene, settings, folder, len(pairs), digest.update)
            progress()
        if not pairs:
            raise UserError(f"no image can be shown, {len(scenes)} tried; the first: {problems[0]}")
        study = {
            "format": FORMAT,
            "question": settings.question,
            "methods": _method_names(first, second),
            "pairs": [pair.record for pair in pairs],
            "sessions": sessions(len(pairs), settings.participants, settings.seed),
        }
        digest.update(json.dumps(study).encode())
        name = digest.hexdigest()[:16]
        _require_same_study(out, name)
        text = json.dumps({"study": name, **study})
        # A script, since browsers read no JSON from file://.
        (folder / DATA).write_text(f"const STUDY = {text};\n", encoding="utf-8")
        for asset in ASSETS:
            (folder / asset).write_bytes((files(__package__) / "assets" / asset).read_bytes())
    return problems


def _require_same_study(out: Path, name: str) -> None:
    """Refuse to replace another study's page, whose participants may have answered already."""
    there = out / DATA
    if not there.is_file():
        return
    found = re.search(r'"study": "([0-9a-f]+)"', there.read_text(encoding="utf-8"))
    if found is not None and found[1] != name:
        raise UserError(f"{out}: holds the page of another study; choose another --out, or remove it")


def _write_pairs(
    scene: ReadScene, settings: StudySettings, folder: Path, number: int, seen: Callable[[bytes], object]
) -> list[_Pair]:
    """Write a scene's crops and its whole image; what was written counts into the study's name."""
    generator = seeded_generator(settings.seed, "crops", scene.name)
    height, width = scene.methods[0].shape[-2:]
    whole = f"{WHOLE}/{number}.png"
    write_image(folder / whole, _for_screens(scene.reference))
    pairs = []
    for window in crop_windows(height, width, settings.crop, settings.crops, generator):
        # Which of the files is whose must not show in their names.
        letters = "ab" if torch.rand((), generator=generator) < 0.5 else "ba"
        names = (f"{CROPS}/{number}{letters[0]}.png", f"{CROPS}/{number}{letters[1]}.png")
        for name, image in zip(names, scene.methods, strict=True):
            crop = image[..., window.top : window.top + window.height, window.left : window.left + window.width]
            write_image(folder / name, crop)
            seen(to_uint8(crop).numpy().tobytes())
        pairs.append(_Pair(scene.name, window, (height, width), names, whole))
        number += 1
    return pairs


def _for_screens(image: Tensor) -> Tensor:
    """An image no larger than screens are, downsampled by a whole number if it is."""
    return bicubic_downsample(image, -(-max(image.shape[-2:]) // LONGEST_SIDE)).clamp(0, 1)


def _method_names(first: Path, second: Path) -> tuple[str, str]:
    """The folders' names, or their whole paths where both are called the same."""
    if first.resolve().name != second.resolve().name:
        return first.resolve().name, second.resolve().name
    return first.as_posix(), second.as_posix()
