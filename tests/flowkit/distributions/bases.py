"""Distributions over vectors of 1 and 2 numbers, moved away from their start, for the tests that hold for each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.distributions.class_conditional import ClassConditional
from flowkit.distributions.conditional_normal import ConditionalNormal
from flowkit.distributions.diagonal_normal import DiagonalNormal
from flowkit.distributions.distribution import Distribution
from flowkit.distributions.gaussian import Gaussian
from flowkit.distributions.low_rank_normal import LowRankNormal
from flowkit.distributions.mixture import Mixture
from flowkit.distributions.resampled import Resampled
from flowkit.distributions.student_t import StudentT
from flowkit.distributions.torch_distribution import TorchDistribution
from flowkit.distributions.uniform import Uniform
from flowkit.testing.subject import perturb


@dataclass(frozen=True)
class Base:
    """A distribution for the tests, of any number of channels, and what is known of it.

    Args:
        make: builds it for that many channels.
        label: what one sample's label is; ``None`` for none.
        reparametrised: whether gradients flow from samples to parameters.
        tempered: whether temperatures other than 1 are taken.
        support: nothing lies outside of it, or nothing to speak of.
    """

    make: Callable[[int], Distribution[Tensor]]
    label: Tensor | None = None
    reparametrised: bool = True
    tempered: bool = True
    support: tuple[float, float] = (-30.0, 30.0)

    def ready(self, channels: int, seed: int = 0) -> Distribution[Tensor]:
        """In float64, in evaluation mode, its parameters moved."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            base = self.make(channels).double()
            perturb(base, 0.5)
            if isinstance(base, Resampled):
                base.estimate_normaliser((channels,), 200000)
            return base.eval()

    def labels(self, *batch: int) -> Any:
        return None if self.label is None else self.label.expand((*batch, *self.label.shape))


def apart(channels: int, mean: float) -> DiagonalNormal:
    base = DiagonalNormal(channels)
    with torch.no_grad():
        base.mean.fill_(mean)
    return base


def resampled(channels: int) -> Resampled:
    acceptance = nn.Sequential(nn.Linear(channels, 8), nn.Tanh(), nn.Linear(8, 1))
    return Resampled(DiagonalNormal(channels), acceptance, truncation=5)


def laplace(channels: int) -> TorchDistribution:
    loc, scale = nn.Parameter(torch.zeros(channels)), torch.ones(channels)
    return TorchDistribution(torch.distributions.Laplace, loc=loc, scale=scale)


BASES: dict[str, Base] = {
    "DiagonalNormal": Base(DiagonalNormal),
    "Gaussian": Base(lambda channels: Gaussian(channels, event_dims=1)),
    "LowRankNormal": Base(lambda channels: LowRankNormal(channels, rank=1)),
    "ConditionalNormal": Base(
        lambda channels: ConditionalNormal(nn.Linear(3, 2 * channels)),
        label=torch.tensor([0.5, -1.0, 0.2], dtype=torch.float64),
    ),
    "Uniform": Base(lambda channels: Uniform(-1.0, 2.0), support=(-1.0, 2.0)),
    # Its tails are long: degrees of freedom about 30 leave nothing beyond 30.
    "StudentT": Base(lambda channels: StudentT(channels, degrees=30.0)),
    "Mixture": Base(lambda channels: Mixture([apart(channels, -3.0), apart(channels, 2.0)]), reparametrised=False),
    "ClassConditional": Base(
        lambda channels: ClassConditional([apart(channels, -3.0), apart(channels, 2.0)]), label=torch.tensor(1)
    ),
    "Resampled": Base(resampled, reparametrised=False, tempered=False),
    "TorchDistribution": Base(laplace, support=(-40.0, 40.0)),
}
