"""Changes of an image's size."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit_deflow.degraders.handwritten.operation import Range, Size, pick, uniform

__all__ = ["RandomResize", "ToSize"]

# As OpenCV's: area averages, the others do not filter before they shrink. nearest takes every n-th pixel.
MODES = ("area", "bilinear", "bicubic", "nearest")


@dataclass(frozen=True)
class RandomResize:
    """Resize by a random factor.

    Attributes:
        factors: lowest and highest factor; those by which it grows are at least 1, those by which it shrinks at most.
        grow: how often it grows, in proportion to the others.
        shrink: how often it shrinks.
        keep: how often it stays.
        modes: how pixels are found: ``area``, ``bilinear``, ``bicubic``, ``nearest``; each as often.
        of_result: factors are of the whole degradation's result, not of the image as it is.

    Examples:
        >>> RandomResize((0.5, 0.5), grow=0, shrink=1, keep=0).apply(torch.rand(1, 3, 16, 8), (16, 8), None).shape
        torch.Size([1, 3, 8, 4])
    """

    factors: Range
    grow: float
    shrink: float
    keep: float
    modes: tuple[str, ...] = ("area", "bilinear", "bicubic")
    of_result: bool = False

    def apply(self, image: Tensor, size: Size, generator: torch.Generator | None) -> Tensor:
        """Resize."""
        kind = pick((self.grow, self.shrink, self.keep), generator)
        low, high = self.factors
        factor = uniform(((max(low, 1.0), high), (low, min(high, 1.0)), (1.0, 1.0))[kind], generator)
        height, width = size if self.of_result else image.shape[-2:]
        target = (max(1, round(factor * height)), max(1, round(factor * width)))
        return resized(image, target, self.modes[pick((1.0,) * len(self.modes), generator)])


@dataclass(frozen=True)
class ToSize:
    """Resize to the size of the whole degradation's result, or to a multiple of it.

    Attributes:
        modes: as of :class:`RandomResize`.
        times: the multiple.
    """

    modes: tuple[str, ...] = ("area", "bilinear", "bicubic")
    times: float = 1.0

    def apply(self, image: Tensor, size: Size, generator: torch.Generator | None) -> Tensor:
        """Resize."""
        height, width = (max(1, round(self.times * side)) for side in size)
        return resized(image, (height, width), self.modes[pick((1.0,) * len(self.modes), generator)])


def resized(image: Tensor, size: Size, mode: str) -> Tensor:
    """An image at another size, in [0, 1]."""
    if tuple(image.shape[-2:]) == size:
        return image
    aligned = None if mode in ("area", "nearest") else False
    return F.interpolate(image, size, mode=mode, align_corners=aligned).clamp(0, 1)
