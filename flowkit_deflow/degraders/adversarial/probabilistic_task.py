"""Trains the probabilistic degradation model."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

from flowkit_deflow.degraders.adversarial.probabilistic import ProbabilisticDegradation
from flowkit_deflow.degraders.adversarial.unpaired_crops import UnpairedBatch
from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.training.adversarial.gan_losses import LeastSquares
from flowkit_deflow.training.adversarial.task import Task

__all__ = ["ProbabilisticTask"]


class _Made(NamedTuple):
    fake: Tensor
    noise: Tensor
    degraded: Tensor


class ProbabilisticTask(Task):
    r"""Minimises the least-squares GAN and :math:`\lambda (\operatorname{mean} n)^2` of each image's noise.

    Args:
        model: what is trained.
        critic: judges patches.
        seed: what is drawn depends on this and on the step alone.
    """

    def __init__(self, model: ProbabilisticDegradation, critic: nn.Module, seed: int) -> None:
        super().__init__()
        self.generators = model
        self.discriminators = critic
        self.seed = seed
        self.gan = LeastSquares()

    def generate(self, batch: UnpairedBatch, step: int) -> _Made:
        """Degrade the clean crops."""
        assert isinstance(self.generators, ProbabilisticDegradation)
        blurred, noise = self.generators.draw(batch["clean"], seeded_generator(self.seed, "draw", step))
        return _Made(blurred + noise, noise, batch["degraded"])

    def generator_losses(self, made: _Made) -> Mapping[str, Tensor]:
        """The losses of the networks."""
        assert isinstance(self.generators, ProbabilisticDegradation)
        weight = self.generators.config.noise_mean
        judged = self._critic(made.degraded).detach(), self._critic(made.fake)
        return {
            "adversarial": self.gan.generator(*judged),
            "noise_mean": weight * made.noise.mean((2, 3)).square().mean(),
        }

    def discriminator_loss(self, made: _Made) -> Tensor:
        """The loss of the critic."""
        return self.gan.discriminator(self._critic(made.degraded), self._critic(made.fake.detach()))

    @property
    def _critic(self) -> nn.Module:
        assert self.discriminators is not None
        return self.discriminators
