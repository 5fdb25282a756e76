"""A model applied to files and folder trees of images."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.files import require_folder
from flowkit_deflow.images.image_files import (
    IMAGE_SUFFIXES,
    WRITABLE_SUFFIXES,
    ImageError,
    list_images,
    read_image,
    write_image,
)
from flowkit_deflow.images.noise import SeededNoise

__all__ = ["Job", "Outcome", "apply_to_images", "plan"]

# Images read ahead of the one being worked on.
AHEAD = 4


@dataclass(frozen=True)
class Job:
    """One image to work on.

    Attributes:
        source: the file.
        key: its path within the source folder: what its random numbers depend on.
        targets: the files to write, one for each sample.
    """

    source: Path
    key: str
    targets: tuple[Path, ...]


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


def plan(
    source: Path,
    target: Path,
    samples: int | None,
    suffix: str,
    endings: Iterable[str] = (),
    results: Path | None = None,
) -> list[Job]:
    """Which file becomes which.

    Args:
        source: an image or a folder tree of them.
        target: a folder; or, for one image, a file with an image's suffix.
        samples: versions of each image, written as ``NAME_s0``, ``NAME_s1``, ...; ``None`` for one, as ``NAME``.
        suffix: of the files to write, such as ``.png``.
        endings: further files per image, ``NAME`` + ending.
        results: folder of results, which are not taken for images to work on should it lie inside ``source``;
            ``target`` if ``None``.

    Returns:
        The jobs, in the order of their paths.

    Raises:
        UserError: nothing to read, an unknown suffix, or two images that would be written to the same file.

    Examples:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "a.jpg").touch()
        >>> [t.name for t in plan(folder, Path("out"), 2, ".png")[0].targets]
        ['a_s0.png', 'a_s1.png']
    """
    if suffix not in WRITABLE_SUFFIXES:
        raise UserError(f"image format {suffix!r} is unknown; there are: {', '.join(WRITABLE_SUFFIXES)}")
    endings = [*([""] if samples is None else [f"_s{i}" for i in range(samples)]), *endings]
    jobs = []
    taken: dict[Path, Path] = {}
    own = (results or target).resolve()
    inside = own != source.resolve() and own.is_relative_to(source.resolve())
    if source.is_dir() and target.is_file():
        raise UserError(f"{target}: is a file, but {source} is a folder; name a folder to write to")
    for file in list_images(source):
        if inside and file.resolve().is_relative_to(own):
            continue
        key = file.relative_to(source).as_posix() if source.is_dir() else file.name
        stem = target / Path(key).with_suffix("")
        ending = suffix
        if not source.is_dir() and target.suffix.lower() in IMAGE_SUFFIXES and not target.is_dir():
            stem, ending = target.with_suffix(""), target.suffix
        targets = tuple(stem.with_name(f"{stem.name}{part}{ending}") for part in endings)
        for path in targets:
            if path in taken:
                raise UserError(f"{taken[path]} and {file} would both be written to {path}; rename one of them")
            if path.resolve() == file.resolve():
                raise UserError(f"{file}: would be overwritten by its own result; choose another folder to write to")
            taken[path] = file
        jobs.append(Job(file, key, targets))
    return jobs


def apply_to_images(
    jobs: list[Job],
    function: Callable[[Tensor, SeededNoise], list[Tensor]],
    *,
    seed: int = 0,
    workers: int = 2,
    overwrite: bool = False,
    strict: bool = False,
    progress: Callable[[], object] = lambda: None,
) -> Outcome:
    """Read, work, write: images whose results are all there are skipped.

    Args:
        jobs: what to do, from :func:`plan`.
        function: from an image ``3 x H x W`` and its source of randomness to a result for each target.
        seed: the random numbers of an image depend on this and on its key alone.
        workers: threads that read and write.
        overwrite: work on images whose results are there too.
        strict: stop at the first unreadable image, instead of going on without it.
        progress: called after each image.

    Returns:
        What was done.

    Raises:
        UserError: a result cannot be written; or an image cannot be read, and ``strict`` is on.
    """
    outcome = Outcome()
    todo = []
    for job in jobs:
        if not overwrite and all(target.exists() for target in job.targets):
            outcome.skipped += 1
            progress()
        else:
            todo.append(job)
    for folder in {target.parent for job in todo for target in job.targets}:
        if folder.exists():
            require_folder(folder, "the results")
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        writing: list[Future[None]] = []
        for job, image in _read_ahead(todo, pool):
            try:
                loaded = image.result()
            except ImageError as error:
                if strict:
                    raise
                outcome.problems.append(str(error))
                progress()
                continue
            results = function(loaded, SeededNoise(seed, job.key))
            if not all(bool(result.isfinite().all()) for result in results):
                raise UserError(f"{job.source}: the model gives values that are not finite; try a lower --temperature")
            for path, result in zip(job.targets, results, strict=True):
                writing.append(pool.submit(write_image, path, result))
            outcome.written += 1
            writing = _finished(writing)
            progress()
        for future in writing:
            future.result()
    return outcome


def _read_ahead(jobs: list[Job], pool: ThreadPoolExecutor) -> Iterator[tuple[Job, "Future[Tensor]"]]:
    reading = [(job, pool.submit(read_image, job.source)) for job in jobs[:AHEAD]]
    for job in [*jobs[AHEAD:], *[None] * len(reading)]:
        yield reading.pop(0)
        if job is not None:
            reading.append((job, pool.submit(read_image, job.source)))


def _finished(futures: "list[Future[None]]") -> "list[Future[None]]":
    """The writes still under way; a failed one raises here, before more work is done in vain."""
    for future in futures:
        if future.done():
            future.result()
    return [future for future in futures if not future.done()]
