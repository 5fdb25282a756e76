"""One step of a hand-written degradation, and how its random numbers are drawn."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

__all__ = ["Operation", "Range", "Size", "normal_like", "pick", "uniform"]

Range = tuple[float, float]
Size = tuple[int, int]


@runtime_checkable
class Operation(Protocol):
    """A step that changes one image; a frozen dataclass, whose fields are its constants."""

    def apply(self, image: Tensor, size: Size, generator: torch.Generator | None) -> Tensor:
        """Change an image.

        Args:
            image: ``1 x 3 x H x W`` in [0, 1].
            size: height and width that the whole degradation's result will have.
            generator: source of randomness; ``None`` for PyTorch's global one.

        Returns:
            ``1 x 3 x H' x W'`` in [0, 1].
        """


def uniform(bounds: Range, generator: torch.Generator | None) -> float:
    """A number between two bounds.

    Examples:
        >>> uniform((2.0, 2.0), None)
        2.0
    """
    device = "cpu" if generator is None else generator.device
    low, high = bounds
    return low + (high - low) * torch.rand((), generator=generator, device=device).item()


def pick(weights: tuple[float, ...], generator: torch.Generator | None) -> int:
    """A position, with probabilities in proportion to the weights.

    Examples:
        >>> pick((0.0, 3.0), None)
        1
    """
    at = uniform((0.0, sum(weights)), generator)
    for position, weight in enumerate(weights):
        at -= weight
        if at < 0:
            return position
    return max(position for position, weight in enumerate(weights) if weight > 0)


def normal_like(image: Tensor, shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
    """Standard normal numbers on an image's device and in its dtype."""
    device = "cpu" if generator is None else generator.device
    return torch.randn(shape, generator=generator, device=device).to(image)
