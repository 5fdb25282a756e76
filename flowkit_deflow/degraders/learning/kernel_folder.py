"""Blur kernels of a folder of images, as a folder of files."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import Tensor

from flowkit_deflow.degraders.kernel_gan import estimate_kernel
from flowkit_deflow.errors import UserError
from flowkit_deflow.files import atomic_path
from flowkit_deflow.images.image_files import ImageError, list_images, read_image
from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.settings.degraders import KernelEstimation

__all__ = ["write_kernels"]


def write_kernels(
    source: Path,
    target: Path,
    settings: KernelEstimation,
    seed: int,
    *,
    overwrite: bool = False,
    strict: bool = False,
    progress: Callable[[], object] = lambda: None,
) -> tuple[int, list[str]]:
    """Estimate the kernel of each image and write it as ``NAME.npy``, which ``read_kernels`` reads.

    Args:
        source: an image or a folder tree of them.
        target: the folder to write to; images below folders become ``FOLDER_NAME.npy``.
        settings: of the estimation.
        seed: what random choices depend on, besides the image's path.
        overwrite: estimate kernels anew that are there already.
        strict: stop at the first image that cannot be read or is too small.
        progress: called after each image.

    Returns:
        How many were written, and a message for each image that has none.

    Raises:
        UserError: a file cannot be written, no image has a kernel, or one has none and ``strict`` is on.
    """
    problems: list[str] = []
    written = there = 0
    for file in list_images(source):
        key = file.relative_to(source).as_posix() if source.is_dir() else file.name
        path = target / f"{Path(key).with_suffix('').as_posix().replace('/', '_')}.npy"
        if path.exists() and not overwrite:
            there += 1
        else:
            try:
                kernel = _estimated(file, settings, seed, key)
            except UserError as error:
                if strict:
                    raise
                problems.append(str(error))
            else:
                _write(path, kernel)
                written += 1
        progress()
    if not written + there:
        raise UserError(f"{source}: no image has a kernel, {len(problems)} tried; the first: {problems[0]}")
    return written, problems


def _estimated(file: Path, settings: KernelEstimation, seed: int, key: str) -> Tensor:
    image = read_image(file)
    if min(image.shape[-2:]) < settings.crop:
        height, width = image.shape[-2:]
        raise ImageError(f"{file}: {width} x {height} pixels are fewer than the crops of {settings.crop} need")
    return estimate_kernel(image, settings, seeded_generator(seed, key))


def _write(path: Path, kernel: Tensor) -> None:
    buffer = io.BytesIO()
    np.save(buffer, kernel.numpy())
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
