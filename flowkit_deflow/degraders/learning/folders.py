"""The images of two unrelated folders, one after the other."""

from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import ImageError, list_images, read_image
from flowkit_deflow.images.resize import bicubic_downsample
from flowkit_deflow.settings.degraders import FolderData

__all__ = ["clean_images", "degraded_images"]


def clean_images(data: FolderData, problems: list[str]) -> Iterator[Tensor]:
    """The clean images that can be read, downsampled as the settings ask.

    Args:
        data: the folders.
        problems: takes a message for each image that cannot be read.

    Raises:
        UserError: there is no folder, or an image cannot be read and the settings are strict.
    """
    if data.clean is None:
        raise UserError("no folder of clean images was given; name it with --clean")
    for image in _images(Path(data.clean), data.strict, problems):
        yield bicubic_downsample(image, data.clean_downsample).clamp(0, 1)


def degraded_images(data: FolderData, problems: list[str]) -> Iterator[Tensor]:
    """The degraded images that can be read; as :func:`clean_images`."""
    if data.degraded is None:
        raise UserError("no folder of degraded images was given; name it with --degraded")
    yield from _images(Path(data.degraded), data.strict, problems)


def _images(folder: Path, strict: bool, problems: list[str]) -> Iterator[Tensor]:
    for file in list_images(folder):
        try:
            yield read_image(file)
        except ImageError as error:
            if strict:
                raise
            problems.append(str(error))
