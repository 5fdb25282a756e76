"""Arguments and options that several commands have in common."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Device",
    "Format",
    "ModelFolder",
    "Overwrite",
    "Samples",
    "Seed",
    "Source",
    "Strict",
    "Target",
    "Temperature",
    "TileSide",
    "Workers",
]

ModelFolder = Annotated[Path, typer.Argument(metavar="MODEL", help="Model folder, as written by deflow train.")]
Source = Annotated[Path, typer.Argument(metavar="IN", help="An image, or a folder tree of images.")]
Target = Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write to; for one image, also a file.")]
Temperature = Annotated[float, typer.Option(min=0.0, help="Strength: 0 none, 1 as learned.")]
Samples = Annotated[
    int | None, typer.Option(min=1, help="Versions of each image, NAME_s0, NAME_s1, ... [default: one]")
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same images (by their paths below IN).")]
Format = Annotated[str, typer.Option("--format", help="Image format of the results: png, jpg, webp, tif, ...")]
TileSide = Annotated[int, typer.Option(min=8, help="Work in overlapping tiles of this many pixels.")]
Workers = Annotated[int, typer.Option(min=1, help="Threads that read and write images.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps, ...")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Make results anew that are there already.")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first unreadable image.")]
