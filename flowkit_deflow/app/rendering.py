"""What becomes of an image: results that come part by part, and the files that are to hold them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.images.resize import Window
from flowkit_deflow.images.tiling import Piece

__all__ = ["Rendering", "Shown", "UnsuitableError", "Work"]


class Shown(NamedTuple):
    """What a file holds.

    Attributes:
        result: of which result, counted from 0.
        window: which part of it; ``None``: all of it.
    """

    result: int
    window: Window | None = None


class Rendering(NamedTuple):
    """What becomes of an image.

    Attributes:
        sizes: height and width of each result, in pixels.
        pieces: the results part by part, each in [0, 1] and of a batch of one; ``sample`` counts the results.
        notes: what the record says of it.
        shown: what each of the job's files holds; ``None``: the first file the first result, and so on.
    """

    sizes: Sequence[tuple[int, int]]
    pieces: Iterator[Piece]
    notes: Mapping[str, Any] = {}
    shown: Sequence[Shown] | None = None


Work = Callable[[Tensor, SeededNoise], Rendering]
"""From an image ``1 x 3 x H x W`` (bytes, or floating-point in [0, 1]) and its source of randomness to its results."""


class UnsuitableError(Exception):
    """An image that a work cannot be done on; the message says why and what to do, and its caller knows its name."""
