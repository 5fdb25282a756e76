"""Sub-images: large images cut into overlapping squares, which programs that train read faster."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.resize import Window

__all__ = ["SubImages"]


@dataclass(frozen=True)
class SubImages:
    """How images are cut into squares, as BasicSR's script ``extract_subimages`` does.

    Along each side squares begin at 0, ``step``, 2 ``step``, ...; where more than ``threshold`` pixels are left over
    behind the last one, one more ends with the image.

    Attributes:
        size: side of the squares (pixels).
        step: from one to the next (pixels).
        threshold: pixels that may be left over at the end.

    Examples:
        >>> [(window.top, window.left) for window in SubImages(4, 3, 0).windows(4, 8)]
        [(0, 0), (0, 3), (0, 4)]
    """

    size: int
    step: int
    threshold: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``SIZE``, ``SIZE:STEP`` or ``SIZE:STEP:THRESHOLD``; the step is half of the size if none is given.

        Raises:
            UserError: it is not of that form.

        Examples:
            >>> SubImages.parse("480")
            SubImages(size=480, step=240, threshold=0)
        """
        numbers = text.split(":")
        if not 1 <= len(numbers) <= 3 or not all(number.isdecimal() for number in numbers):
            raise UserError(f"--sub-images {text!r}: expected SIZE, SIZE:STEP or SIZE:STEP:THRESHOLD, like 480:240:0")
        size = int(numbers[0])
        step = int(numbers[1]) if len(numbers) > 1 else size // 2
        if size < 1 or step < 1:
            raise UserError(f"--sub-images {text!r}: size and step are at least 1 pixel")
        return cls(size, step, int(numbers[2]) if len(numbers) > 2 else 0)

    def require_scale(self, scale: int) -> None:
        """Check that squares of the high resolution begin and end at pixels of the low one.

        Raises:
            UserError: they do not.
        """
        if self.size % scale or self.step % scale:
            raise UserError(
                f"--sub-images {self.size}:{self.step}: size and step are in pixels of the photographs, and have to be "
                f"multiples of the scale {scale}"
            )

    def count(self, height: int, width: int) -> int:
        """How many squares an image has; 0 where it is smaller than one. Turned by 90 degrees, it has as many."""
        return len(self._starts(height)) * len(self._starts(width))

    def windows(self, height: int, width: int) -> Iterator[Window]:
        """The squares of an image, row by row."""
        for top in self._starts(height):
            for left in self._starts(width):
                yield Window(top, left, self.size, self.size)

    def _starts(self, side: int) -> list[int]:
        starts = list(range(0, side - self.size + 1, self.step))
        if starts and side - (starts[-1] + self.size) > self.threshold:
            starts.append(side - self.size)
        return starts
