"""How one image is read, and its results are held and written."""

import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flowkit_deflow.app.jobs import Job
from flowkit_deflow.app.manifest import Manifest
from flowkit_deflow.app.origin import Origin, SourceFile
from flowkit_deflow.app.rendering import Shown, UnsuitableError, Work
from flowkit_deflow.errors import UserError
from flowkit_deflow.files import atomic_path
from flowkit_deflow.images.canvas import Canvas
from flowkit_deflow.images.image_files import Encoding, ImageError, Picture, read_picture, to_levels, write_pixels
from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.images.resize import Window
from flowkit_deflow.training.memory import give_back_freed_memory

__all__ = ["Result", "Store", "render"]

# Bytes of an image's results that are held in memory; more than that lies in a file until it is written.
IN_MEMORY = 32_000_000


class Result(NamedTuple):
    """A finished result.

    Attributes:
        canvas: its pixels.
        files: the files that are to hold a part of it; ``None`` stands for all of it.
    """

    canvas: Canvas
    files: "dict[Window | None, list[Path]]"


@dataclass(frozen=True)
class Store:
    """How images are read, and how and with what record their results are written.

    Attributes:
        manifest: the record.
        origin: what the results are made with.
        encoding: how they are written.
        keep_alpha: the images' opacity goes into the results, instead of being laid on white.
        keep_exif: their EXIF data does.
        notes: what the record says of the run.
    """

    manifest: Manifest
    origin: Origin
    encoding: Encoding = field(default_factory=Encoding)
    keep_alpha: bool = False
    keep_exif: bool = False
    notes: Mapping[str, Any] = field(default_factory=dict)

    def read(self, job: Job) -> tuple[Picture, SourceFile]:
        """A job's image, and what its file was.

        Raises:
            ImageError: it cannot be read.
        """
        picture = read_picture(job.source, job.page, self.keep_alpha, self.keep_exif)
        return picture, SourceFile.of(job.source)

    def write(self, result: Result, picture: Picture) -> None:
        """One result; files that hold the same part of it share its space on the disk."""
        with closing(result.canvas):
            pixels = result.canvas.pixels()
        if picture.alpha is not None:
            alpha = picture.alpha if picture.alpha.is_floating_point() else picture.alpha.float() / 255
            levels = to_levels(alpha, self.encoding.bit_depth)
            pixels = np.concatenate([pixels, levels.permute(1, 2, 0).numpy()], -1)
        for window, (first, *others) in result.files.items():
            part = pixels if window is None else _cut(pixels, window)
            write_pixels(first, part, self.encoding, picture.exif if self.keep_exif else None)
            for path in others:
                _link(first, path)


def _cut(pixels: np.ndarray[Any, Any], window: Window) -> np.ndarray[Any, Any]:
    top, left, height, width = window
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])


def _link(first: Path, path: Path) -> None:
    """A file with the content of another."""
    with atomic_path(path) as temporary:
        try:
            temporary.hardlink_to(first)
        except OSError:
            # Some file systems have no links.
            shutil.copyfile(first, temporary)


def render(
    job: Job,
    picture: Picture,
    work: Work,
    noise: SeededNoise,
    store: Store,
    within: Callable[[float], object] = lambda share: None,
) -> tuple[list[Result], Mapping[str, Any]]:
    """Work on an image.

    Args:
        job: whose it is.
        picture: the image.
        work: what becomes of it.
        noise: its source of randomness.
        store: how its results will be written.
        within: called after each part of the results, with the share of them that is done.

    Returns:
        The results, and notes for the record.

    Raises:
        ImageError: the work cannot be done on it.
        UserError: there is no space for the results, or values are not finite.
    """
    started = time.monotonic()
    try:
        rendering = work(picture.pixels[None], noise)
    except UnsuitableError as error:
        raise ImageError(f"{job.source}: {error}") from None
    shown = [Shown(i) for i in range(len(rendering.sizes))] if rendering.shown is None else rendering.shown
    files: list[dict[Window | None, list[Path]]] = [{} for _ in rendering.sizes]
    for path, (result, window) in zip(job.targets, shown, strict=True):
        files[result].setdefault(window, []).append(path)
    pixels_in_all = sum(height * width for height, width in rendering.sizes)
    size = pixels_in_all * 3 * (store.encoding.bit_depth // 8)
    scratch = None if size <= IN_MEMORY else job.targets[0].parent
    canvases = [Canvas(height, width, store.encoding.bit_depth, scratch) for height, width in rendering.sizes]
    done = 0
    for piece in rendering.pieces:
        if not bool(piece.pixels.isfinite().all()):
            raise UserError(
                f"{job.source}: the model gives values that are not finite; its weights or temperature are too large"
            )
        canvases[piece.sample].put(piece.window, piece.pixels[0])
        done += piece.window.height * piece.window.width
        if piece.sample == len(canvases) - 1 and tuple(piece.pixels.shape[-2:]) != rendering.sizes[piece.sample]:
            # What a tile leaves free fits the next one's maps badly: kept, memory would grow from tile to tile.
            give_back_freed_memory()
        within(done / pixels_in_all)
    seconds = round(time.monotonic() - started, 3)
    return list(map(Result, canvases, files)), {"seconds": seconds, **rendering.notes}
