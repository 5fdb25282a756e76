"""Where in an image the crops lie that people compare."""

from collections.abc import Sequence

import torch

from flowkit_deflow.images.resize import Window

__all__ = ["crop_windows"]

# Draws after which a crop may overlap others: some images have no room for all.
TRIES = 100


def crop_windows(height: int, width: int, side: int, count: int, generator: torch.Generator) -> list[Window]:
    """Square crops at random places of an image, beside each other where there is room.

    Args:
        height: of the image (pixels).
        width: of the image (pixels).
        side: of the crops (pixels).
        count: how many.
        generator: source of randomness.

    Returns:
        As many windows as asked for.

    Raises:
        ValueError: the image is smaller than a crop.

    Examples:
        >>> crop_windows(80, 80, 80, 1, torch.Generator())
        [Window(top=0, left=0, height=80, width=80)]
    """
    if min(height, width) < side:
        raise ValueError(f"crops of {side} pixels do not fit into {width} x {height} pixels")

    def drawn(size: int) -> int:
        return int(torch.randint(size - side + 1, (), generator=generator))

    windows: list[Window] = []
    for _ in range(count):
        for _ in range(TRIES):
            window = Window(drawn(height), drawn(width), side, side)
            if not _overlaps(window, windows):
                break
        windows.append(window)
    return windows


def _overlaps(window: Window, others: Sequence[Window]) -> bool:
    return any(
        abs(window.top - other.top) < other.height and abs(window.left - other.left) < other.width for other in others
    )
