"""Trains a generator that keeps low frequencies, judged by the high ones: DSGAN's and DASR's way."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from flowkit_deflow.degraders.adversarial.unpaired_crops import UnpairedBatch
from flowkit_deflow.evaluation.metrics.lpips import Lpips
from flowkit_deflow.settings.adversarial import SeparationLosses
from flowkit_deflow.training.adversarial.gan_losses import Logistic
from flowkit_deflow.training.adversarial.task import Task

__all__ = ["SeparationTask"]

Filter = Callable[[Tensor], Tensor]


class _Made(NamedTuple):
    fake: Tensor
    clean: Tensor
    degraded: Tensor


class SeparationTask(Task):
    r"""Minimises :math:`\|l(g(x)) - l(x)\|_1`, the GAN of :math:`h(g(x))` against :math:`h(y)`, and LPIPS to x.

    Args:
        generator: g.
        critic: judges high frequencies.
        low: the filter l.
        high: the filter h.
        losses: the weights.
        lpips: ``None`` without it.
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        low: Filter,
        high: Filter,
        losses: SeparationLosses,
        lpips: Lpips | None,
    ) -> None:
        super().__init__()
        self.generators = generator
        self.discriminators = critic
        self.low, self.high = low, high
        self.losses = losses
        self.gan = Logistic()
        # In a list, its weights stay out of checkpoints.
        self._lpips = [] if lpips is None else [lpips]

    @property
    def untrained(self) -> Sequence[nn.Module]:
        """LPIPS."""
        return self._lpips

    def generate(self, batch: UnpairedBatch, step: int) -> _Made:
        """Degrade the clean crops."""
        return _Made(self.generators(batch["clean"]), batch["clean"], batch["degraded"])

    def generator_losses(self, made: _Made) -> Mapping[str, Tensor]:
        """The losses of the generator."""
        fake, clean, degraded = made
        critic = self._critic
        judged = critic(self.high(degraded)).detach(), critic(self.high(fake))
        losses = {
            "low": self.losses.low * F.l1_loss(self.low(fake), self.low(clean)),
            "adversarial": self.losses.adversarial * self.gan.generator(*judged),
        }
        for lpips in self._lpips:
            losses["lpips"] = self.losses.lpips * lpips(fake, clean).mean()
        return losses

    def discriminator_loss(self, made: _Made) -> Tensor:
        """The loss of the critic."""
        real, fake = (self._critic(self.high(part)) for part in (made.degraded, made.fake.detach()))
        return self.gan.discriminator(real, fake)

    @property
    def _critic(self) -> nn.Module:
        assert self.discriminators is not None
        return self.discriminators
