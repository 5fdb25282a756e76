"""Blur by kernels that are drawn anew for each image."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from flowkit_deflow.degraders.handwritten.kernels import gaussian_kernel, plateau_kernel, sinc_kernel
from flowkit_deflow.degraders.handwritten.operation import Range, Size, pick, uniform
from flowkit_deflow.images.blur_kernels import apply_kernel

__all__ = ["GaussianBlur", "PlateauBlur", "SincFilter"]

Sides = tuple[int, int]


@dataclass(frozen=True)
class GaussianBlur:
    """Blur by a generalised Gaussian.

    Attributes:
        std: bounds of its standard deviations, each drawn uniformly (pixels).
        isotropic: both directions have the same.
        shape: bounds of the exponent beta: with probability 1/2 it is drawn below 1, otherwise above; ``None``: 1.
        sides: smallest and largest side of the kernel; odd numbers between them are drawn.

    Examples:
        >>> image = torch.rand(1, 3, 16, 16)
        >>> GaussianBlur(std=(1.0, 2.0)).apply(image, (16, 16), None).std() < image.std()
        tensor(True)
    """

    std: Range
    isotropic: bool = True
    shape: Range | None = None
    sides: Sides = (7, 21)

    def apply(self, image: Tensor, size: Size, generator: torch.Generator | None) -> Tensor:
        """Blur."""
        side = _side(self.sides, generator)
        std, angle = _std_and_angle(self.std, self.isotropic, generator)
        shape = 1.0 if self.shape is None else _around_one(self.shape, generator)
        return _filtered(image, gaussian_kernel(side, std, angle, shape))


@dataclass(frozen=True)
class PlateauBlur:
    """Blur by a plateau-shaped kernel; its fields are those of :class:`GaussianBlur`."""

    std: Range
    shape: Range
    isotropic: bool = True
    sides: Sides = (7, 21)

    def apply(self, image: Tensor, size: Size, generator: torch.Generator | None) -> Tensor:
        """Blur."""
        side = _side(self.sides, generator)
        std, angle = _std_and_angle(self.std, self.isotropic, generator)
        return _filtered(image, plateau_kernel(side, std, angle, _around_one(self.shape, generator)))


@dataclass(frozen=True)
class SincFilter:
    """Ringing and overshoot, as of sharpening and of JPEG.

    Attributes:
        cutoff: bounds of the cutoff frequency (radians per pixel).
        small_cutoff: the same of kernels under 13 pixels, whose lower bound has to be higher; ``None``: as ``cutoff``.
        sides: as of :class:`GaussianBlur`.
    """

    cutoff: Range = (math.pi / 3, math.pi)
    small_cutoff: Range | None = None
    sides: Sides = (7, 21)

    def apply(self, image: Tensor, size: Size, generator: torch.Generator | None) -> Tensor:
        """Filter."""
        side = _side(self.sides, generator)
        bounds = self.small_cutoff if self.small_cutoff is not None and side < 13 else self.cutoff
        return _filtered(image, sinc_kernel(side, uniform(bounds, generator)))


def _side(sides: Sides, generator: torch.Generator | None) -> int:
    lowest, highest = sides
    return lowest + 2 * pick((1.0,) * ((highest - lowest) // 2 + 1), generator)


def _std_and_angle(
    bounds: Range, isotropic: bool, generator: torch.Generator | None
) -> tuple[tuple[float, float], float]:
    first = uniform(bounds, generator)
    if isotropic:
        return (first, first), 0.0
    return (first, uniform(bounds, generator)), uniform((-math.pi, math.pi), generator)


def _around_one(bounds: Range, generator: torch.Generator | None) -> float:
    below = pick((1.0, 1.0), generator) == 0
    return uniform((min(bounds[0], 1.0), 1.0) if below else (1.0, bounds[1]), generator)


def _filtered(image: Tensor, kernel: Tensor) -> Tensor:
    return apply_kernel(image, kernel).clamp(0, 1)
