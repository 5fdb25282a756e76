"""Trains two generators that undo each other: CycleGAN."""

from collections.abc import Mapping
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from flowkit_deflow.degraders.adversarial.unpaired_crops import UnpairedBatch
from flowkit_deflow.settings.adversarial import CycleGanLosses
from flowkit_deflow.training.adversarial.gan_losses import LeastSquares
from flowkit_deflow.training.adversarial.task import Task

__all__ = ["CycleTask"]


class _Made(NamedTuple):
    clean: Tensor
    degraded: Tensor
    fake_degraded: Tensor
    fake_clean: Tensor


class CycleTask(Task):
    r"""Minimises both least-squares GANs, both cycles and both identities.

    .. math:: \lambda (\|f(g(x)) - x\|_1 + \|g(f(y)) - y\|_1) + \mu (\|g(y) - y\|_1 + \|f(x) - x\|_1)

    is what both generators minimise besides the GANs.

    Args:
        degrade: g, from clean to degraded images.
        restore: f, back.
        judge_degraded: tells real degraded images from made ones.
        judge_clean: likewise of clean ones.
        losses: the weights :math:`\lambda` and :math:`\mu`.

    References:
        J.-Y. Zhu, T. Park, P. Isola, A. A. Efros, "Unpaired Image-to-Image Translation Using Cycle-Consistent
        Adversarial Networks", ICCV 2017, eq. 3 and sec. 5.2.
    """

    def __init__(
        self,
        degrade: nn.Module,
        restore: nn.Module,
        judge_degraded: nn.Module,
        judge_clean: nn.Module,
        losses: CycleGanLosses,
    ) -> None:
        super().__init__()
        self.generators = nn.ModuleDict({"degrade": degrade, "restore": restore})
        self.discriminators = nn.ModuleDict({"degraded": judge_degraded, "clean": judge_clean})
        self.losses = losses
        self.gan = LeastSquares()

    def generate(self, batch: UnpairedBatch, step: int) -> _Made:
        """Bring both crops to the other domain."""
        clean, degraded = batch["clean"], batch["degraded"]
        return _Made(clean, degraded, self._generate("degrade", clean), self._generate("restore", degraded))

    def generator_losses(self, made: _Made) -> Mapping[str, Tensor]:
        """The losses of both generators."""
        clean, degraded, fake_degraded, fake_clean = made
        cycles = F.l1_loss(self._generate("restore", fake_degraded), clean) + F.l1_loss(
            self._generate("degrade", fake_clean), degraded
        )
        identities = F.l1_loss(self._generate("degrade", degraded), degraded) + F.l1_loss(
            self._generate("restore", clean), clean
        )
        judged = {
            f"adversarial_{domain}": self.gan.generator(self._judge(domain, real).detach(), self._judge(domain, fake))
            for domain, real, fake in (("degraded", degraded, fake_degraded), ("clean", clean, fake_clean))
        }
        return judged | {"cycle": self.losses.cycle * cycles, "identity": self.losses.identity * identities}

    def discriminator_loss(self, made: _Made) -> Tensor:
        """The loss of both discriminators."""
        clean, degraded, fake_degraded, fake_clean = made
        of_degraded = self.gan.discriminator(
            self._judge("degraded", degraded), self._judge("degraded", fake_degraded.detach())
        )
        return of_degraded + self.gan.discriminator(
            self._judge("clean", clean), self._judge("clean", fake_clean.detach())
        )

    def _generate(self, way: str, images: Tensor) -> Tensor:
        assert isinstance(self.generators, nn.ModuleDict)
        return self.generators[way](images)

    def _judge(self, domain: str, images: Tensor) -> Tensor:
        assert isinstance(self.discriminators, nn.ModuleDict)
        return self.discriminators[domain](images)
