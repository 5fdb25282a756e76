"""What variational inference needs of a flow, whatever library it is of."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn
from torch.distributions import Transform

__all__ = ["LogDensity", "Sampler", "divergence"]

LogDensity = Callable[[Tensor], Tensor]
"""``batch x features`` to ``batch``, in nats."""

Draw = Callable[[int], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Sampler:
    """A flow that is fast at samples."""

    module: nn.Module
    """Holds all parameters."""
    draw: Draw
    """How many, to samples ``number x features`` and their log-densities, in one pass, with gradients."""
    reverse_kl: Callable[[LogDensity, int], Tensor]
    """The divergence from a density, estimated by so many samples, with gradients."""
    transform: Callable[[], Transform]
    """From standard normal numbers to samples, as Pyro takes it; asked for once the flow is trained."""


def divergence(draw: Draw) -> Callable[[LogDensity, int], Tensor]:
    """The reverse divergence, for libraries that leave it to their users."""

    def reverse_kl(log_density: LogDensity, number: int) -> Tensor:
        x, log_prob = draw(number)
        return (log_prob - log_density(x)).mean()

    return reverse_kl
