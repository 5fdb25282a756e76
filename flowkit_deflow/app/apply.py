"""A model applied to files and folder trees of images."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flowkit_deflow.app.jobs import Job
from flowkit_deflow.app.manifest import Manifest
from flowkit_deflow.app.origin import Origin, SourceFile
from flowkit_deflow.app.rendering import Work
from flowkit_deflow.app.store import Store, render
from flowkit_deflow.errors import UserError
from flowkit_deflow.files import require_folder
from flowkit_deflow.images.image_files import ImageError, Picture, image_size
from flowkit_deflow.images.noise import SeededNoise

__all__ = ["Outcome", "apply_to_images", "require_replaceable", "unfinished"]

# Images read ahead of the one being worked on, and how many pixels they may have together.
AHEAD = 4
PIXELS_AHEAD = 8_000_000


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


def require_replaceable(jobs: Sequence[Job], manifest: Manifest, origin: Origin) -> None:
    """Refuse work that would replace results which were made otherwise.

    Raises:
        UserError: there are some; the message says how many, and what differs.
    """
    reasons = {job: reason for job in jobs if (reason := manifest.why_not_replaced(job, origin)) is not None}
    if reasons:
        first = next(job for job in reasons)
        others = len(reasons) - 1
        more = f" and {others} other{'s' if others > 1 else ''} were" if others else " was"
        raise UserError(
            f"{first.targets[0]}{more} made otherwise: {'; '.join(dict.fromkeys(reasons.values()))}; give --overwrite "
            "to make them anew, or choose another folder"
        )


def unfinished(jobs: Sequence[Job], store: Store, overwrite: bool) -> list[Job]:
    """The jobs that are left to do: those whose results are not all there, made of the same file in the same way.

    Raises:
        UserError: results are there that were made otherwise, and ``overwrite`` is off; or a folder cannot be written.
    """
    todo = [job for job in jobs if overwrite or not store.manifest.is_done(job, store.origin)]
    if not overwrite:
        require_replaceable(todo, store.manifest, store.origin)
    for folder in {target.parent for job in todo for target in job.targets}:
        if folder.exists():
            require_folder(folder, "the results")
    return todo


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
        work: from an image and its source of randomness to its results.
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
    todo = unfinished(jobs, store, overwrite)
    outcome = Outcome(skipped=len(jobs) - len(todo))
    for _ in range(outcome.skipped):
        progress()
    started_already = False
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        writing: list[_Writing] = []
        for job, reading in _read_ahead(todo, store, pool):
            try:
                picture, source = reading.result()
                results, notes = render(job, picture, work, SeededNoise(seed, job.key), store, within)
            except ImageError as error:
                if strict:
                    raise
                outcome.problems.append(str(error))
                progress()
                continue
            if not started_already:
                store.manifest.start(store.origin, store.notes)
                started_already = True
            store.manifest.begin(job, store.origin)
            if all(result.canvas.in_memory for result in results):
                futures = [pool.submit(store.write, result, picture) for result in results]
            else:
                # One after the other: each is held in memory while it is encoded.
                futures = []
                for result in results:
                    store.write(result, picture)
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
