"""Large images in overlapping tiles."""

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from flowkit_deflow.images.resize import Window

__all__ = ["Piece", "Tile", "tiles"]


class Piece(NamedTuple):
    """A finished part of one version of images.

    Attributes:
        sample: which of the versions it belongs to, from 0.
        window: where it lies in the image.
        pixels: ``B x 3 x window.height x window.width``.
    """

    sample: int
    window: Window
    pixels: Tensor


class Tile(NamedTuple):
    """A part of an image: what the network sees, and what is kept of its result.

    Attributes:
        outer: what the network sees, with its margin (pixels of the image).
        inner: what is kept; the inner windows of all tiles cover the image once.
    """

    outer: Window
    inner: Window


def tiles(height: int, width: int, side: int, margin: int, alignment: int) -> Iterator[Tile]:
    """Cut an image into tiles, row by row.

    Args:
        height: of the image, a multiple of ``alignment`` (pixels).
        width: likewise.
        side: of what is kept of a tile, a multiple of ``alignment``.
        margin: what the network sees around it, cut at the image's border; a multiple of ``alignment``.
        alignment: the network's alignment.

    Yields:
        The tiles.

    Raises:
        ValueError: a number is no multiple of ``alignment``.

    Examples:
        >>> [tuple(tile.inner) for tile in tiles(8, 24, side=16, margin=8, alignment=8)]
        [(0, 0, 8, 16), (0, 16, 8, 8)]
    """
    for name, value in (("height", height), ("width", width), ("side", side), ("margin", margin)):
        if value % alignment:
            raise ValueError(f"{name} is {value}; tiles need a multiple of {alignment}")
    for top in range(0, height, side):
        for left in range(0, width, side):
            inner = Window(top, left, min(side, height - top), min(side, width - left))
            first_row, first_column = max(0, top - margin), max(0, left - margin)
            last_row = min(height, top + inner.height + margin)
            last_column = min(width, left + inner.width + margin)
            yield Tile(Window(first_row, first_column, last_row - first_row, last_column - first_column), inner)
