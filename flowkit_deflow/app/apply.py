"""A model applied to files and folder trees of images."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from flowkit_deflow.app.jobs import Job
from flowkit_deflow.app.manifest import Manifest
from flowkit_deflow.app.origin import Origin, SourceFile
from flowkit_deflow.errors import UserError
from flowkit_deflow.files import atomic_path, require_folder
from flowkit_deflow.images.canvas import Canvas
from flowkit_deflow.images.image_files import (
    Encoding,
    ImageError,
    Picture,
    image_size,
    read_picture,
    to_levels,
    write_pixels,
)
from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.images.tiling import Piece

__all__ = ["Outcome", "Rendering", "Store", "UnsuitableError", "apply_to_images", "require_replaceable"]

# Images read ahead of the one being worked on, and how many pixels they may have together.
AHEAD = 4
PIXELS_AHEAD = 8_000_000
# Bytes of an image's results that are held in memory; more than that lies in a file until it is written.
IN_MEMORY = 32_000_000


class Rendering(NamedTuple):
    """What becomes of an image.

    Attributes:
        sizes: height and width of each result, in pixels.
        pieces: the results part by part, each in [0, 1] and of a batch of one; ``sample`` counts the results.
        notes: what the record says of it.
        shown: which result each of the job's files holds; ``None``: the first file the first, and so on.
    """

    sizes: Sequence[tuple[int, int]]
    pieces: Iterator[Piece]
    notes: Mapping[str, Any] = {}
    shown: Sequence[int] | None = None


Work = Callable[[Tensor, SeededNoise], Rendering]


class UnsuitableError(Exception):
    """An image that a work cannot be done on; the message says why and what to do, and its caller knows its name."""


@dataclass
class Outcome:
    """What became of a folder.

    Attributes:
        written: images worked on.
        skipped: images whose results were there already.
        problems: messages of images that could not be read.
    """

    written: int = 0
    skipped: int = 0
    problems: list[str] = field(default_factory=list)


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

    def write(self, paths: Sequence[Path], canvas: Canvas, picture: Picture) -> None:
        """One result; where several files hold it, they share its space on the disk."""
        first, *others = paths
        with closing(canvas):
            pixels = canvas.pixels()
        if picture.alpha is not None:
            alpha = picture.alpha if picture.alpha.is_floating_point() else picture.alpha.float() / 255
            levels = to_levels(alpha, self.encoding.bit_depth)
            pixels = np.concatenate([pixels, levels.permute(1, 2, 0).numpy()], -1)
        write_pixels(first, pixels, self.encoding, picture.exif if self.keep_exif else None)
        for path in others:
            with atomic_path(path) as temporary:
                try:
                    temporary.hardlink_to(first)
                except OSError:
                    # Some file systems have no links.
                    shutil.copyfile(first, temporary)


def require_replaceable(jobs: Sequence[Job], manifest: Manifest, origin: Origin) -> None:
    """Refuse work that would replace results which were made otherwise.

    Raises:
        UserError: there are some; the message says how many, and what differs.
    """
    reasons = {job: reason for job in jobs if (reason := manifest.why_not_replaced(job, origin)) is not None}
    if reasons:
        first = next(job for job in reasons)
        which = f"{first.targets[0]} and {len(reasons) - 1} others" if len(reasons) > 1 else str(first.targets[0])
        raise UserError(
            f"{which} were made otherwise: {'; '.join(dict.fromkeys(reasons.values()))}; give --overwrite to make "
            "them anew, or choose another folder"
        )


def apply_to_images(
    jobs: Sequence[Job],
    work: Work,
    store: Store,
    *,
    seed: int = 0,
    workers: int = 2,
    overwrite: bool = False,
    strict: bool = False,
    progress: Callable[[], object] = lambda: None,
    within: Callable[[float], object] = lambda share: None,
) -> Outcome:
    """Read, work, write: images whose results are all there, made of the same file in the same way, are skipped.

    Args:
        jobs: what to do.
        work: from an image ``1 x 3 x H x W`` (bytes, or floating-point in [0, 1]) and its source of randomness to
            its results.
        store: how to read and write.
        seed: the random numbers of an image depend on this and on its key alone.
        workers: threads that read and write.
        overwrite: work on all images, whatever is there.
        strict: stop at the first unreadable image, instead of going on without it.
        progress: called after each image.
        within: called after each part of an image's results, with the share of them that is done.

    Returns:
        What was done.

    Raises:
        UserError: results are there that were made otherwise, and ``overwrite`` is off; a result cannot be written;
            or an image cannot be read, and ``strict`` is on.
    """
    outcome = Outcome()
    todo = [job for job in jobs if overwrite or not store.manifest.is_done(job, store.origin)]
    if not overwrite:
        require_replaceable(todo, store.manifest, store.origin)
    outcome.skipped = len(jobs) - len(todo)
    for _ in range(outcome.skipped):
        progress()
    for folder in {target.parent for job in todo for target in job.targets}:
        if folder.exists():
            require_folder(folder, "the results")
    started_already = False
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        writing: list[_Writing] = []
        for job, reading in _read_ahead(todo, store, pool):
            started = time.monotonic()
            try:
                picture, source = reading.result()
                results, notes = _rendered(job, picture, work, SeededNoise(seed, job.key), store, within)
            except ImageError as error:
                if strict:
                    raise
                outcome.problems.append(str(error))
                progress()
                continue
            notes = {"seconds": round(time.monotonic() - started, 3)} | dict(notes)
            if not started_already:
                store.manifest.start(store.origin, store.notes)
                started_already = True
            store.manifest.begin(job, store.origin)
            if all(canvas.in_memory for _, canvas in results):
                futures = [pool.submit(store.write, paths, canvas, picture) for paths, canvas in results]
            else:
                # One after the other: each is held in memory while it is encoded.
                futures = []
                for paths, canvas in results:
                    store.write(paths, canvas, picture)
            writing.append(_Writing(job, source, notes, futures))
            outcome.written += 1
            # As many as there are threads may be under way: results do not pile up where the disk is slow.
            while writing and (writing[0].is_done() or len(writing) > workers):
                writing.pop(0).finish(store)
            progress()
        for late in writing:
            late.finish(store)
    return outcome


class _Writing(NamedTuple):
    """A job whose results are being written."""

    job: Job
    source: SourceFile
    notes: Mapping[str, Any]
    futures: "list[Future[None]]"

    def is_done(self) -> bool:
        return all(future.done() for future in self.futures)

    def finish(self, store: Store) -> None:
        """Wait, and record it; a write that failed raises here."""
        for future in self.futures:
            future.result()
        store.manifest.finish(self.job, store.origin, self.source, self.notes)


def _rendered(
    job: Job, picture: Picture, work: Work, noise: SeededNoise, store: Store, within: Callable[[float], object]
) -> tuple[list[tuple[list[Path], Canvas]], Mapping[str, Any]]:
    """Each result with the files that are to hold it, and notes for the record."""
    try:
        rendering = work(picture.pixels[None], noise)
    except UnsuitableError as error:
        raise ImageError(f"{job.source}: {error}") from None
    shown = range(len(rendering.sizes)) if rendering.shown is None else rendering.shown
    files: list[list[Path]] = [[] for _ in rendering.sizes]
    for path, result in zip(job.targets, shown, strict=True):
        files[result].append(path)
    pixels_in_all = sum(height * width for height, width in rendering.sizes)
    size = pixels_in_all * 3 * (store.encoding.bit_depth // 8)
    scratch = None if size <= IN_MEMORY else job.targets[0].parent
    canvases = [Canvas(height, width, store.encoding.bit_depth, scratch) for height, width in rendering.sizes]
    done = 0
    for sample, window, pixels in rendering.pieces:
        if not bool(pixels.isfinite().all()):
            raise UserError(f"{job.source}: the model gives values that are not finite; try a lower --temperature")
        canvases[sample].put(window, pixels[0])
        done += window.height * window.width
        within(done / pixels_in_all)
    return list(zip(files, canvases, strict=True)), rendering.notes


def _read_ahead(
    jobs: Sequence[Job], store: Store, pool: ThreadPoolExecutor
) -> Iterator[tuple[Job, "Future[tuple[Picture, SourceFile]]"]]:
    """Jobs with their images, some of which are being read already: few, and none beside a large one."""
    waiting = list(reversed(jobs))
    reading: list[tuple[Job, Future[tuple[Picture, SourceFile]], int]] = []
    while waiting or reading:
        while waiting and len(reading) <= AHEAD:
            size = _pixels(waiting[-1])
            if reading and sum(pixels for *_, pixels in reading) + size > PIXELS_AHEAD:
                break
            job = waiting.pop()
            reading.append((job, pool.submit(store.read, job), size))
        job, image, _ = reading.pop(0)
        yield job, image


def _pixels(job: Job) -> int:
    try:
        height, width = image_size(job.source)
    except ImageError:
        # Reading it will say what is wrong.
        return 0
    return height * width
