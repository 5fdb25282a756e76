"""The images of two methods, with what they belong to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.partners import images_by_name
from flowkit_deflow.images.image_files import ImageError, read_image

__all__ = ["ReadScene", "Scene", "match_scenes", "readable"]


@dataclass(frozen=True)
class Scene:
    """The files that show one scene.

    Attributes:
        name: the images' name.
        methods: the image of either method.
        reference: the whole image that crops are marked in.
    """

    name: str
    methods: tuple[Path, Path]
    reference: Path


@dataclass(frozen=True)
class ReadScene:
    """A scene's images, ``3 x H x W`` in [0, 1].

    Attributes:
        name: the images' name.
        methods: the image of either method, both of one size.
        reference: the whole image, of the same shape in another size perhaps.
    """

    name: str
    methods: tuple[Tensor, Tensor]
    reference: Tensor


def match_scenes(first: Path, second: Path, reference: Path) -> list[Scene]:
    """Put together the images of the same names.

    Args:
        first: folder of one method's images.
        second: folder of the other's.
        reference: folder of the whole images; it may hold more.

    Raises:
        UserError: an image of one method has no partner or no reference, or two in a folder have the same name.
    """
    images = {folder: images_by_name(folder, "of one folder") for folder in (first, second, reference)}
    for name in sorted(images[first].keys() | images[second].keys()):
        missing = [str(folder) for folder in images if name not in images[folder]]
        if missing:
            raise UserError(
                f"there is no image {name!r} in {' and '.join(missing)}; both methods need the same images, by the "
                "same names, and each of them a reference"
            )
    return [Scene(name, (images[first][name], images[second][name]), images[reference][name]) for name in images[first]]


def readable(scenes: Iterable[Scene], side: int, strict: bool, problems: list[str]) -> Iterator[ReadScene]:
    """Read scene after scene; those with an image that cannot be used are left out.

    Args:
        scenes: the files.
        side: of the crops that have to fit (pixels).
        strict: stop at the first that cannot be used.
        problems: takes a message for each that is left out.

    Raises:
        UserError: images of one scene do not fit each other, or one cannot be used and ``strict`` is on.
    """
    for scene in scenes:
        try:
            first, second, reference = (read_image(path) for path in (*scene.methods, scene.reference))
            if min(first.shape[-2:]) < side:
                raise ImageError(f"{scene.methods[0]}: {_size(first)} pixels are fewer than a crop of {side} needs")
        except ImageError as error:
            if strict:
                raise
            problems.append(str(error))
            continue
        if first.shape != second.shape:
            a, b = scene.methods
            raise UserError(f"{a} has {_size(first)} pixels and {b} {_size(second)}; give images of the same size")
        if not _same_shape(first, reference):
            raise UserError(
                f"{scene.reference} has {_size(reference)} pixels and {scene.methods[0]} {_size(first)}; a reference "
                "shows the same in another size at most, with sides of the same ratio"
            )
        yield ReadScene(scene.name, (first, second), reference)


def _size(image: Tensor) -> str:
    return f"{image.shape[-1]} x {image.shape[-2]}"


def _same_shape(image: Tensor, reference: Tensor) -> bool:
    """Whether the sides have the same ratio, each side known to a pixel."""
    (height, width), (other_height, other_width) = image.shape[-2:], reference.shape[-2:]
    a_pixel = max(height, other_height) + max(width, other_width)
    return abs(width * other_height - height * other_width) <= a_pixel
