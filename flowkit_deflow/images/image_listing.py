"""The image files of a folder, and what else lies there."""

import os
import re
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from PIL import features

from flowkit_deflow.errors import UserError
from flowkit_deflow.files import require_folder

__all__ = ["DANGLING", "IMAGE_SUFFIXES", "NOT_READ", "Survey", "list_images", "survey", "unread"]

_BY_PILLOW = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
_AVIF = (".avif",) if features.check("avif") else ()
_HEIF = (".heic", ".heif") if find_spec("pillow_heif") else ()

IMAGE_SUFFIXES = (*_BY_PILLOW, *_AVIF, *_HEIF)
"""The endings of the files that count as images, in lower case; they are matched in any case."""

_CONVERT = "not read: convert them to PNG"
_DEVELOP = "raw photographs: develop them to TIFF or PNG"
_OTHER_FORMATS = (
    ".gif",
    ".jp2",
    ".j2k",
    ".jxl",
    ".tga",
    ".psd",
    ".exr",
    ".hdr",
    ".ico",
    ".svg",
    ".eps",
    ".pcx",
    ".mpo",
)
_RAW = (".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2", ".pef", ".srw", ".raw")

DANGLING = "linked"
"""Stands for the suffix of links to images that lead nowhere."""

NOT_READ = (
    dict.fromkeys(_OTHER_FORMATS, _CONVERT)
    | dict.fromkeys(_RAW, _DEVELOP)
    | dict.fromkeys((".avif",), "this Pillow was built without AVIF: pip install --upgrade pillow, or convert them")
    | dict.fromkeys((".heic", ".heif"), "need a plugin: pip install pillow-heif")
    | {DANGLING: "the links lead nowhere: mount or copy what they point at"}
)
"""Endings of images that are not read here, and what to do with them (those in IMAGE_SUFFIXES are read after all)."""

# Commands write these records beside their results, of which they are a part.
_MANIFEST = re.compile(r"(.+\.)?manifest(\.\d+-of-\d+)?\.jsonl")


class Survey(NamedTuple):
    """What a folder and the folders below it hold.

    Attributes:
        images: the image files, sorted by their path relative to the folder.
        others: how many other files there are, by their suffix in lower case, or `DANGLING`; hidden files and manifests
            are not counted.
    """

    images: list[Path]
    others: Counter[str]


def list_images(folder: Path) -> list[Path]:
    """The image files in a folder and in the folders below it.

    Hidden files and folders (a leading dot) are passed over; links to folders are followed, never in circles.

    Args:
        folder: The folder, or a single image file.

    Returns:
        The files with a suffix of `IMAGE_SUFFIXES`, sorted by their path relative to `folder` (written with `/`),
        so that the order is the same on every machine; `[folder]` for a single file.

    Raises:
        UserError: If the folder is missing, cannot be read or holds no images, or the single file is no image.

    Examples:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("b/1.PNG", "a.jpg", ".hidden.png", "notes.txt"):
        ...     (folder / name).parent.mkdir(exist_ok=True)
        ...     (folder / name).touch()
        >>> [file.relative_to(folder).as_posix() for file in list_images(folder)]
        ['a.jpg', 'b/1.PNG']
    """
    return survey(folder).images


def survey(folder: Path) -> Survey:
    """The image files as :func:`list_images` gives them, and a count of the other files by their kind.

    Raises:
        UserError: As `list_images`.

    Examples:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("a.jpg", "b.GIF", "c.gif"):
        ...     (folder / name).touch()
        >>> survey(folder).others
        Counter({'.gif': 2})
    """
    suffixes = ", ".join(IMAGE_SUFFIXES)
    if folder.is_file():
        if _is_image_name(folder.name):
            return Survey([folder], Counter())
        advice = NOT_READ.get(folder.suffix.lower(), "give an image or a folder")
        raise UserError(f"'{folder}' is not an image: its suffix is none of {suffixes}; {advice}")
    require_folder(folder, "the folder of images")
    dangling: list[Path] = []
    try:
        files = _walk(folder, (), dangling)
    except OSError as error:
        where = error.filename or folder
        raise UserError(f"cannot list the folder '{where}': {error.strerror}; check its permissions") from error
    found = [file for file in files if _is_image_name(file.name)]
    others = Counter(file.suffix.lower() for file in [*files, *dangling] if not _is_image_name(file.name))
    others += Counter(DANGLING for link in dangling if _is_image_name(link.name))
    if not found:
        there = f"; there are: {_counted(others)}" if others else ""
        raise UserError(f"the folder '{folder}' holds no images; expected files that end in {suffixes}{there}")
    return Survey(sorted(found, key=lambda file: file.relative_to(folder).as_posix()), others)


def unread(others: Counter[str]) -> dict[str, int]:
    """Of the counts of other files those of images, in formats that are not read, in the order of their suffixes."""
    return {suffix: count for suffix, count in sorted(others.items()) if suffix in NOT_READ}


def _counted(others: Counter[str]) -> str:
    return ", ".join(
        f"{count} {suffix or 'without a suffix'}{f' ({NOT_READ[suffix]})' if suffix in NOT_READ else ''}"
        for suffix, count in sorted(others.items())
    )


def _walk(folder: Path, above: tuple[str, ...], dangling: list[Path]) -> list[Path]:
    """The files below a folder; `dangling` takes the links that lead nowhere."""
    here = os.path.realpath(folder)
    if here in above:
        return []
    found: list[Path] = []
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            found += _walk(entry, (*above, here), dangling)
        elif entry.is_file():
            if not _MANIFEST.fullmatch(entry.name):
                found.append(entry)
        elif entry.is_symlink() and not entry.exists():
            dangling.append(entry)
    return found


def _is_image_name(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES)
