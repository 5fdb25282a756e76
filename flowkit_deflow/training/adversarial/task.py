"""What is trained adversarially, step by step."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

__all__ = ["Task"]


class Task(nn.Module, ABC):
    """Networks that generate images, networks that judge them if there are any, and what both minimise.

    Attributes:
        generators: what generates; trained by one optimiser.
        discriminators: what judges; trained by another one; ``None`` where nothing does.
    """

    generators: nn.Module
    discriminators: nn.Module | None

    @property
    def untrained(self) -> Sequence[nn.Module]:
        """Networks with fixed weights, which are no sub-modules: they stay out of checkpoints."""
        return ()

    @abstractmethod
    def generate(self, batch: Any, step: int) -> Any:
        """Images that the losses of this step are made of, with gradients to the generators."""

    @abstractmethod
    def generator_losses(self, made: Any) -> Mapping[str, Tensor]:
        """The weighted losses whose sum the generators minimise, by name."""

    def discriminator_loss(self, made: Any) -> Tensor:
        """What the discriminators minimise; no gradient reaches the generators."""
        raise NotImplementedError
