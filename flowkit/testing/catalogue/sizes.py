"""Sizes of the catalogue's cases: small, uneven, drawn."""

from collections.abc import Sequence
from typing import TypeVar

from flowkit.testing.case import Draw

__all__ = ["choice", "image_shape"]

T = TypeVar("T")


def image_shape(
    draw: Draw, channels: tuple[int, int] = (2, 5), multiple: int = 1, largest: int = 3
) -> tuple[int, int, int]:
    """An image's event shape ``C x H x W``, square or not.

    Args:
        draw: draws the sizes.
        channels: the fewest and most channels.
        multiple: what height and width are multiples of.
        largest: height and width are at most this many multiples.

    Returns:
        The shape.

    Examples:
        >>> image_shape(lambda low, high: high, multiple=2)
        (5, 6, 6)
    """
    return draw(*channels), multiple * draw(1, largest), multiple * draw(1, largest)


def choice(draw: Draw, among: Sequence[T]) -> T:
    """One of several.

    Args:
        draw: draws which.
        among: the choices.

    Returns:
        The chosen one.

    Examples:
        >>> choice(lambda low, high: high, "abc")
        'c'
    """
    return among[draw(0, len(among) - 1)]
