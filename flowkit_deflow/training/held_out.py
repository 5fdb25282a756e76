"""Which images are held out of the training, to judge it."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

__all__ = ["SMALLEST_FOLDER", "held_out"]

# With fewer images, one of them is worth more to the training than to its judgement.
SMALLEST_FOLDER = 8


def held_out(files: Sequence[Path], folder: Path, share: float, seed: int) -> list[Path]:
    """The images of a folder that are not trained on, by the seed and their names alone.

    Of two folders with the same names, images of the same name are held out: the partners of pairs stay together.

    Args:
        files: the folder's images.
        folder: the folder.
        share: share of the images to hold out, from 0 to below 1; at least one is held out where it is above 0.
        seed: what the choice depends on.

    Returns:
        Some of the files, in their order; none of fewer than ``SMALLEST_FOLDER``, and never all of them.

    Examples:
        >>> files = [Path(f"photographs/{number}.png") for number in range(20)]
        >>> [file.name for file in held_out(files, Path("photographs"), 0.15, seed=0)]
        ['1.png', '8.png', '14.png']
    """
    if not share or len(files) < SMALLEST_FOLDER:
        return []
    count = min(max(round(share * len(files)), 1), len(files) - 1)
    chosen = set(sorted(files, key=lambda file: _rank(file.relative_to(folder), seed))[:count])
    return [file for file in files if file in chosen]


def _rank(name: Path, seed: int) -> tuple[bytes, str]:
    """What orders names at random; the suffix has no part in it, since the partners of pairs may differ in format."""
    stem = name.with_suffix("").as_posix()
    return hashlib.sha256(f"{seed}\0{stem}".encode(errors="surrogateescape")).digest(), name.suffix
