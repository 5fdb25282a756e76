"""Reads a set of images and measures it, image by image in constant memory."""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.image_set import ImageSet
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.partners import Partnered
from flowkit_deflow.evaluation.smoothing import smooth_reference
from flowkit_deflow.evaluation.statistic import Statistic, Sums, add
from flowkit_deflow.images.image_files import ImageError, read_image

__all__ = ["Progress", "measure", "measure_files"]

Progress = Callable[[Path], None]


def measure(pairs: Iterable[Pair], kinds: Sequence[type[Statistic]], name: str = "images") -> ImageSet:
    """Measure a set of images.

    Args:
        pairs: the images, each beside its reference.
        kinds: the statistics to compute.
        name: what the set is called.

    Returns:
        The set with its statistics.

    Raises:
        ValueError: there are no images.

    Examples:
        >>> import torch
        >>> from flowkit_deflow.evaluation.quantities.noise_level import Moments
        >>> reference = torch.full((3, 32, 32), 0.5)
        >>> images = measure([Pair(reference + 2 / 255, reference)], [Moments])
        >>> [round(255 * float(mean), 3) for mean in images[Moments].mean]
        [2.0, 2.0, 2.0]
    """
    totals: dict[type[Statistic], Sums] = {kind: {} for kind in kinds}
    count = 0
    for pair in pairs:
        count += 1
        totals = {kind: add(total, kind.sums(pair)) for kind, total in totals.items()}
    if count == 0:
        raise ValueError("no image was given: statistics need at least one")
    statistics = {kind: kind.from_sums(total) for kind, total in totals.items()}
    return ImageSet(name, name, {kind: value for kind, value in statistics.items() if value is not None})


def measure_files(
    images: Sequence[Partnered],
    kinds: Sequence[type[Statistic]],
    name: str,
    shared: AbstractSet[Path],
    strict: bool = False,
    progress: Progress | None = None,
) -> tuple[ImageSet, list[str]]:
    """Read a set of images and measure it.

    Args:
        images: the files and those of their clean partners; an image without one is measured against itself smoothed.
        kinds: the statistics to compute.
        name: what the set is called.
        shared: the clean files that are partners in every set.
        strict: whether a file that cannot be read is an error; otherwise it is left out.
        progress: called with each file once it is done or left out.

    Returns:
        The set with its statistics, and a line for each file that was left out.

    Raises:
        UserError: no file can be read, or a clean partner has another size.
        ImageError: a file cannot be read, and `strict` is set.
    """
    unreadable: list[str] = []

    def pairs() -> Iterable[Pair]:
        for image in images:
            try:
                pair = _read(image, shared)
            except ImageError as error:
                if strict:
                    raise
                unreadable.append(str(error))
            else:
                yield pair
            if progress is not None:
                progress(image.path)
        if len(unreadable) == len(images):
            raise UserError(f"none of the {len(images)} {name} images could be compared; the first: {unreadable[0]}")

    return measure(pairs(), kinds, name), unreadable


def _read(image: Partnered, shared: AbstractSet[Path]) -> Pair:
    degraded = read_image(image.path)
    if image.clean is None:
        return Pair(degraded, smooth_reference(degraded))
    clean = read_image(image.clean)
    _require_same_size(image.path, degraded, image.clean, clean)
    file = image.clean.resolve()
    return Pair(degraded, clean, str(file) if file in shared else None)


def _require_same_size(path: Path, degraded: Tensor, clean_path: Path, clean: Tensor) -> None:
    if degraded.shape != clean.shape:
        sizes = [f"{image.shape[2]} x {image.shape[1]}" for image in (degraded, clean)]
        raise UserError(
            f"'{path}' is {sizes[0]} pixels and its clean partner '{clean_path}' is {sizes[1]}; "
            "give clean images of the degraded images' size"
        )
