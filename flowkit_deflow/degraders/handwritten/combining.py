"""Operations made of operations."""

from dataclasses import dataclass

import torch
from torch import Tensor

from flowkit_deflow.degraders.handwritten.operation import Operation, Size, pick, uniform

__all__ = ["InOrder", "OneOf", "Shuffled", "Sometimes"]


@dataclass(frozen=True)
class InOrder:
    """Operations one after the other.

    Attributes:
        operations: the first one first.
    """

    operations: tuple[Operation, ...]

    def apply(self, image: Tensor, size: Size, generator: torch.Generator | None) -> Tensor:
        """Apply each."""
        for operation in self.operations:
            image = operation.apply(image, size, generator)
        return image


@dataclass(frozen=True)
class Shuffled:
    """Operations one after the other, in an order that is drawn for each image.

    Attributes:
        operations: in any order.
    """

    operations: tuple[Operation, ...]

    def apply(self, image: Tensor, size: Size, generator: torch.Generator | None) -> Tensor:
        """Apply each."""
        drawn = [uniform((0.0, 1.0), generator) for _ in self.operations]
        order = sorted(range(len(drawn)), key=drawn.__getitem__)
        return InOrder(tuple(self.operations[place] for place in order)).apply(image, size, generator)


@dataclass(frozen=True)
class OneOf:
    """One operation, drawn for each image.

    Attributes:
        operations: those to draw from.
        weights: how often each is drawn, in proportion.
    """

    operations: tuple[Operation, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.operations) != len(self.weights):
            raise ValueError(f"{len(self.operations)} operations have {len(self.weights)} weights; give one for each")

    def apply(self, image: Tensor, size: Size, generator: torch.Generator | None) -> Tensor:
        """Apply one."""
        return self.operations[pick(self.weights, generator)].apply(image, size, generator)


@dataclass(frozen=True)
class Sometimes:
    """An operation with some probability.

    Attributes:
        operation: which.
        probability: from 0 to 1.
    """

    operation: Operation
    probability: float

    def apply(self, image: Tensor, size: Size, generator: torch.Generator | None) -> Tensor:
        """Apply it, or leave the image."""
        happens = uniform((0.0, 1.0), generator) < self.probability
        return self.operation.apply(image, size, generator) if happens else image
