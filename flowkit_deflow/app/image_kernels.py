"""The blur kernels of a folder of images, as a folder of files with a record of how each was made."""

import io
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from torch import Tensor

from flowkit_deflow.app.apply import Outcome, unfinished
from flowkit_deflow.app.jobs import Job, require_distinct
from flowkit_deflow.app.manifest import Manifest
from flowkit_deflow.app.origin import Origin, SourceFile
from flowkit_deflow.app.store import Store
from flowkit_deflow.degraders.kernel_gan import estimate_kernel
from flowkit_deflow.errors import UserError
from flowkit_deflow.files import atomic_path
from flowkit_deflow.images.image_files import ImageError, list_images, read_image
from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.settings.degraders import KernelEstimation

__all__ = ["kernel_jobs", "write_kernels"]


def kernel_jobs(source: Path, target: Path) -> list[Job]:
    """Which image's kernel becomes which file: ``NAME.npy``, of images below folders ``FOLDER_NAME.npy``.

    Args:
        source: an image or a folder tree of them.
        target: the folder to write to.

    Raises:
        UserError: there are no images, or kernels of several would be written to the same file.
    """
    jobs = []
    for file in list_images(source):
        key = file.relative_to(source).as_posix() if source.is_dir() else file.name
        name = Path(key).with_suffix("").as_posix().replace("/", "_")
        jobs.append(Job(file, key, (target / f"{name}.npy",)))
    require_distinct(jobs, "rename one of them")
    return jobs


def write_kernels(
    jobs: Sequence[Job],
    settings: KernelEstimation,
    seed: int,
    manifest: Manifest,
    *,
    overwrite: bool = False,
    strict: bool = False,
    progress: Callable[[], object] = lambda: None,
) -> Outcome:
    """Estimate the kernel of each image and write it so that ``read_kernels`` reads it.

    Args:
        jobs: the images and files.
        settings: of the estimation.
        seed: what random choices depend on, besides the image's path.
        manifest: the record: kernels that it says were made of the same image in the same way are skipped.
        overwrite: estimate all kernels anew.
        strict: stop at the first image that cannot be read or is too small.
        progress: called after each image.

    Returns:
        What was done.

    Raises:
        UserError: kernels are there that were made otherwise, a file cannot be written, no image has a kernel, or one
            has none and ``strict`` is on.
    """
    origin = Origin("kernels", None, {**asdict(settings), "seed": seed})
    todo = unfinished(jobs, Store(manifest, origin), overwrite)
    outcome = Outcome(skipped=len(jobs) - len(todo))
    for job in todo:
        try:
            kernel, source = _estimated(job, settings, seed), SourceFile.of(job.source)
        except ImageError as error:
            if strict:
                raise
            outcome.problems.append(str(error))
        else:
            if not outcome.written:
                manifest.start(origin, {})
            manifest.begin(job, origin)
            _write(job.targets[0], kernel)
            manifest.finish(job, origin, source, {})
            outcome.written += 1
        progress()
    if not outcome.written + outcome.skipped:
        raise UserError(f"no image has a kernel, {len(jobs)} tried; the first: {outcome.problems[0]}")
    return outcome


def _estimated(job: Job, settings: KernelEstimation, seed: int) -> Tensor:
    image = read_image(job.source)
    if min(image.shape[-2:]) < settings.crop:
        height, width = image.shape[-2:]
        raise ImageError(f"{job.source}: {width} x {height} pixels are fewer than the crops of {settings.crop} need")
    return estimate_kernel(image, settings, seeded_generator(seed, job.key))


def _write(path: Path, kernel: Tensor) -> None:
    buffer = io.BytesIO()
    np.save(buffer, kernel.numpy())
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
