"""An image that grows piece by piece and is then written."""

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_writing import to_levels
from flowkit_deflow.images.resize import Window

__all__ = ["Canvas"]


class Canvas:
    """Pixels in memory, or, of a large image, in a file that has no name and vanishes with the process.

    Args:
        height: in pixels.
        width: likewise.
        bit_depth: bits per colour, 8 or 16.
        scratch: folder for the file; ``None``: in memory.

    Examples:
        >>> import torch
        >>> canvas = Canvas(2, 4, 8, None)
        >>> canvas.put(Window(0, 2, 2, 2), torch.ones(3, 2, 2))
        >>> canvas.pixels()[0, :, 0].tolist()
        [0, 0, 255, 255]
    """

    def __init__(self, height: int, width: int, bit_depth: int, scratch: Path | None) -> None:
        self.bit_depth = bit_depth
        self._scratch = scratch
        dtype = np.dtype(np.uint8 if bit_depth == 8 else np.uint16)
        if scratch is None:
            self._levels = np.zeros((height, width, 3), dtype)
            return
        self._shape, self._dtype = (height, width, 3), dtype
        scratch.mkdir(parents=True, exist_ok=True)
        # Not mapped into memory: on a full disk, that would end the process without a word.
        self._file = tempfile.TemporaryFile(dir=scratch, buffering=0)  # noqa: SIM115 (open until close())

    @property
    def in_memory(self) -> bool:
        """Whether it takes memory, not space on a disk."""
        return self._scratch is None

    def put(self, window: Window, pixels: Tensor) -> None:
        """Fill a window; ``pixels`` are ``3 x window.height x window.width`` in [0, 1].

        Raises:
            UserError: there is no space for it.
        """
        top, left, height, width = window
        levels = to_levels(pixels, self.bit_depth).permute(1, 2, 0).contiguous().cpu().numpy()
        if self._scratch is None:
            self._levels[top : top + height, left : left + width] = levels
            return
        pixel_size = 3 * self._dtype.itemsize
        try:
            for row, values in enumerate(levels, top):
                self._file.seek((row * self._shape[1] + left) * pixel_size)
                self._file.write(values.tobytes())
        except OSError as error:
            raise UserError(
                f"cannot write to the folder '{self._scratch}': {error.strerror}; free some space there, or write to "
                "another disk"
            ) from error

    def pixels(self) -> np.ndarray[Any, Any]:
        """The levels, H x W x 3."""
        if self._scratch is None:
            return self._levels
        self._file.seek(0)
        return np.fromfile(self._file, self._dtype, math.prod(self._shape)).reshape(self._shape)

    def close(self) -> None:
        """Give the file's space back."""
        if self._scratch is not None:
            self._file.close()
