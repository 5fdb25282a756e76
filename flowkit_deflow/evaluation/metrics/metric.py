"""A metric of image quality, as the table of metrics holds it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from torch import Tensor

from flowkit_deflow.evaluation.metrics.metric_files import MetricFiles

__all__ = ["Better", "Measure", "Metric"]

Measure = Callable[[Tensor, Tensor], Tensor]
"""From images ``B x 3 x H x W`` in [0, 1] and their references to ``B`` numbers; some metrics ignore the references."""


class Better(Enum):
    """Which way a metric points."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True)
class Metric:
    """A metric of image quality.

    Attributes:
        key: its name on the command line and in the JSON.
        name: its name in tables, which tells its variant from others of the same name.
        better: which way it points.
        needs_reference: whether images are compared with references.
        load: makes the function that measures; it raises a UserError where a published file is missing.
        smallest_side: of images that it can measure (pixels, after a border is cut off).
        smallest_longer_side: of their longer sides, where these have to be longer.
        unit: what follows its numbers, like dB; empty for a plain number.
    """

    key: str
    name: str
    better: Better
    needs_reference: bool
    load: Callable[[MetricFiles], Measure]
    smallest_side: int = 1
    smallest_longer_side: int = 1
    unit: str = ""

    def fits(self, height: int, width: int) -> bool:
        """Whether images of a size are large enough.

        Examples:
            >>> from flowkit_deflow.evaluation.metrics.registry import METRICS
            >>> METRICS["ssim"].fits(11, 11), METRICS["niqe"].fits(100, 100), METRICS["niqe"].fits(192, 96)
            (True, False, True)
        """
        return min(height, width) >= self.smallest_side and max(height, width) >= self.smallest_longer_side

    @property
    def smallest_size(self) -> str:
        """How many pixels are needed, in words."""
        if self.smallest_longer_side <= self.smallest_side:
            return f"{self.smallest_side} on each side"
        return f"{self.smallest_side} on each side and {self.smallest_longer_side} on the longer one"

    def full_name(self, border: int) -> str:
        """The name in tables with the border that was cut off, where that matters.

        Examples:
            >>> from flowkit_deflow.evaluation.metrics.registry import METRICS
            >>> METRICS["psnr-y"].full_name(border=4)
            'PSNR of luma (BT.601) [dB], border of 4 cut'
        """
        unit = f" [{self.unit}]" if self.unit else ""
        cut = f", border of {border} cut" if border and self.needs_reference else ""
        return f"{self.name}{unit}{cut}"
