"""Arguments and options that several commands have in common."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Alpha",
    "AlphaOption",
    "BitDepth",
    "Device",
    "Exif",
    "Force",
    "Format",
    "KeepSuffix",
    "ModelFolder",
    "Overwrite",
    "Pages",
    "PagesOption",
    "Quality",
    "Samples",
    "Seed",
    "ShardOption",
    "Source",
    "Strict",
    "Target",
    "TargetFolder",
    "Temperature",
    "TileSide",
    "Workers",
]


class Alpha(StrEnum):
    """What becomes of an image's opacity."""

    WHITE = "white"
    KEEP = "keep"


class Pages(StrEnum):
    """Which images of a file of several are taken."""

    FIRST = "first"
    ALL = "all"


ModelFolder = Annotated[Path, typer.Argument(metavar="MODEL", help="Model folder, or the folder of a run.")]
Source = Annotated[Path, typer.Argument(metavar="IN", help="An image, or a folder tree of images.")]
Target = Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write to; for one image, also a file.")]
TargetFolder = Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write to.")]
Temperature = Annotated[float, typer.Option(help="Strength: 0 none, 1 as learned.")]
Force = Annotated[bool, typer.Option("--force", help="Allow temperatures above 3.")]
Samples = Annotated[
    int | None, typer.Option(min=1, help="Versions of each image, NAME_s0, NAME_s1, ... [default: one]")
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same images (by their paths below IN).")]
Format = Annotated[str, typer.Option("--format", help="Image format of the results: png, jpg, webp, tif, ...")]
Quality = Annotated[int, typer.Option(min=1, max=100, help="Quality of jpg, webp and avif.")]
BitDepth = Annotated[int, typer.Option(help="Bits per colour, 8 or 16 (png, tif).")]
AlphaOption = Annotated[Alpha, typer.Option("--alpha", help="Lay transparent images on white, or keep their opacity.")]
PagesOption = Annotated[
    Pages, typer.Option("--pages", help="Of files of several images: the first, or all as NAME_p0, ...")
]
Exif = Annotated[bool, typer.Option("--exif", help="Copy the images' EXIF data into the results.")]
KeepSuffix = Annotated[bool, typer.Option("--keep-suffix", help="Call results a.jpg.png, not a.png.")]
ShardOption = Annotated[
    str | None, typer.Option("--shard", metavar="I/N", help="Do one share of N of the images, such as 3/16.")
]
TileSide = Annotated[int, typer.Option(min=8, help="Work in overlapping tiles of this many pixels.")]
Workers = Annotated[int, typer.Option(min=1, help="Threads that read and write images.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps, ...")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Make results anew that are there already.")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first unreadable image.")]
