"""What posterior estimation learns from: a uniform prior, a simulator, and the posterior itself to judge by."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Simulator"]


@dataclass(frozen=True)
class Simulator:
    """Data from parameters that are uniform in a cube about 0."""

    name: str
    description: str
    parameters: int
    outputs: int
    """Entries of the data."""
    bound: float
    """The prior's cube has the sides ``[-bound, bound]``."""
    simulate: Callable[[Tensor, torch.Generator], Tensor]
    """``batch x parameters`` to ``batch x outputs``."""
    posterior: Callable[[Tensor, int, torch.Generator], Tensor]
    """Exact draws given one data vector: how many, to ``number x parameters`` in float64."""

    def draw(self, number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Parameters of the prior, and data of each."""
        uniform = torch.rand(number, self.parameters, generator=generator, dtype=torch.float64)
        theta = self.bound * (2 * uniform - 1)
        return theta, self.simulate(theta, generator)

    def unbounded(self, theta: Tensor) -> Tensor:
        """Parameters as real numbers: the logit of where they lie in the cube."""
        return torch.logit((theta / self.bound + 1) / 2)

    def bounded(self, real: Tensor) -> Tensor:
        """The inverse of :meth:`unbounded`."""
        return self.bound * (2 * real.sigmoid() - 1)
