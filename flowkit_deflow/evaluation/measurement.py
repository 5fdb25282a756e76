"""Reads a set of images and measures it, image by image."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.block_sums import Block, BlockSums
from flowkit_deflow.evaluation.image_set import ImageSet
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.partners import Partnered
from flowkit_deflow.evaluation.smoothing import smooth_reference
from flowkit_deflow.evaluation.statistic import Statistic
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
    sums = BlockSums(kinds)
    for pair in pairs:
        sums.add(pair, Block(name, 0))
    return sums.measured(name)


def measure_files(
    images: Sequence[Partnered],
    kinds: Sequence[type[Statistic]],
    name: str,
    blocks: Mapping[str, Block],
    counterparts: Mapping[str, Path | None],
    strict: bool = False,
    progress: Progress | None = None,
) -> tuple[BlockSums, list[str]]:
    """Read a set of images and measure it.

    Args:
        images: the files and those of their clean partners; an image without one is measured against itself smoothed.
        kinds: the statistics to compute.
        name: what the set is called.
        blocks: the block of each scene, by :attr:`Partnered.scene`.
        counterparts: the scenes that every set shows against a clean image, each with the really degraded image of
            it that generated ones are held against; None where these images are themselves the real ones.
        strict: whether a file that cannot be read is an error; otherwise it is left out.
        progress: called with each file once it is done or left out.

    Returns:
        The sums by block, and a line for each file that was left out.

    Raises:
        UserError: no file can be read, or a clean partner has another size.
        ImageError: a file cannot be read, and `strict` is set.
    """
    sums = BlockSums(kinds)
    unreadable: list[str] = []
    for scene, samples in _by_scene(images):
        earlier: Pair | None = None
        for image in samples:
            try:
                pair = _read(image, earlier, counterparts)
            except ImageError as error:
                if strict:
                    raise
                unreadable.append(str(error))
            else:
                sums.add(pair, blocks[scene])
                earlier = pair
            if progress is not None:
                progress(image.path)
    if len(unreadable) == len(images):
        raise UserError(f"none of the {len(images)} {name} images could be compared; the first: {unreadable[0]}")
    return sums, unreadable


def _by_scene(images: Sequence[Partnered]) -> Iterator[tuple[str, list[Partnered]]]:
    """The samples of each scene together, whatever their order was: each is held against those before it."""
    scenes: dict[str, list[Partnered]] = {}
    for image in images:
        scenes.setdefault(image.scene, []).append(image)
    yield from scenes.items()


def _read(image: Partnered, earlier: Pair | None, counterparts: Mapping[str, Path | None]) -> Pair:
    degraded = read_image(image.path)
    if image.clean is None:
        return Pair(degraded, smooth_reference(degraded), scene=image.scene)
    clean = read_image(image.clean) if earlier is None else earlier.reference
    _require_same_size(image.path, degraded, image.clean, clean)
    shared = image.scene if image.scene in counterparts else None
    if earlier is not None:
        return Pair(degraded, clean, shared, image.scene, earlier.counterpart, earlier.with_this)
    return Pair(degraded, clean, shared, image.scene, _counterpart(counterparts.get(image.scene)))


def _counterpart(path: Path | None) -> Tensor | None:
    """The real image of a scene; None where it cannot be read, which its own set has told."""
    try:
        return None if path is None else read_image(path)
    except ImageError:
        return None


def _require_same_size(path: Path, degraded: Tensor, clean_path: Path, clean: Tensor) -> None:
    if degraded.shape != clean.shape:
        sizes = [f"{image.shape[2]} x {image.shape[1]}" for image in (degraded, clean)]
        raise UserError(
            f"'{path}' is {sizes[0]} pixels and its clean partner '{clean_path}' is {sizes[1]}; "
            "give clean images of the degraded images' size"
        )
