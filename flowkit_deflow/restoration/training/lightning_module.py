"""One step of a restoration network's training, with a discriminator or without."""

from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from flowkit_deflow.errors import UserError
from flowkit_deflow.restoration.restorer import Restorer
from flowkit_deflow.restoration.training.clean_crops import CleanBatch, CleanCrops
from flowkit_deflow.restoration.training.feature_loss import FeatureLoss
from flowkit_deflow.restoration.training.on_the_fly import OnTheFly
from flowkit_deflow.settings.restoration import RestorerRun
from flowkit_deflow.training.adversarial.discriminators import frozen
from flowkit_deflow.training.adversarial.gan_losses import RelativisticAverage
from flowkit_deflow.training.loader import load

__all__ = ["RestorerModule"]


class RestorerModule(pl.LightningModule):
    """Minimises the weighted sum of the losses, by Adam.

    Args:
        restorer: what is trained.
        run: the settings.
        crops: the training data.
        degrade: makes the degraded crops; ``None`` where they come in pairs.
        features: the loss of features; ``None`` without one.
        discriminator: ``None`` without an adversarial loss.
    """

    def __init__(
        self,
        restorer: Restorer,
        run: RestorerRun,
        crops: CleanCrops,
        degrade: OnTheFly | None,
        features: FeatureLoss | None,
        discriminator: nn.Module | None,
    ) -> None:
        super().__init__()
        # Two optimisers take turns, and one step of both is one step of the run.
        self.automatic_optimization = False
        self.restorer = restorer
        self.discriminator = discriminator
        self.run = run
        self.crops = crops
        self.gan = RelativisticAverage()
        self.problems = list(crops.problems)
        # Neither of them is trained: in a list, their weights stay out of checkpoints.
        self.untrained = [part for part in (degrade and degrade.degrader, features) if isinstance(part, nn.Module)]
        self.degrade = degrade
        self._features = [] if features is None else [features]

    def on_fit_start(self) -> None:
        """Bring what is not trained to the device."""
        for part in self.untrained:
            part.to(self.device).eval().requires_grad_(False)

    def train_dataloader(self) -> DataLoader[CleanBatch | UserError]:
        """Batches from the step that the run has come to."""
        training = self.run.training
        return load(self.crops, self.trainer.global_step, training.steps, training.workers)

    def training_step(self, batch: CleanBatch | UserError, batch_idx: int) -> None:
        """A step of the network, then one of the discriminator."""
        if isinstance(batch, UserError):
            raise batch
        for problem in batch["problems"]:
            self.leave_out(problem)
        step = self.trainer.global_step
        clean, degraded = batch["clean"], batch["degraded"]
        if degraded is None:
            assert self.degrade is not None
            degraded = self.degrade(clean, step)
        optimizers = self.optimizers()
        optimizer, *others = optimizers if isinstance(optimizers, list) else [optimizers]
        for each in (optimizer, *others):
            for group in each.param_groups:
                group["lr"] = self.learning_rate(step)
        restored = self.restorer.network(degraded)
        loss = self._loss(restored, clean)
        self._require_finite(loss, step)
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self.log("loss", loss.detach(), prog_bar=True)
        for other in others:
            self._discriminator_step(other, restored.detach(), clean)

    def learning_rate(self, step: int) -> float:
        """Halved after each of the fractions ``halve_at`` of the steps."""
        training = self.run.training
        return training.learning_rate * 0.5 ** sum(step >= fraction * training.steps for fraction in training.halve_at)

    def leave_out(self, problem: str) -> None:
        """Remember an image that could not be used, once."""
        if problem not in self.problems:
            self.problems.append(problem)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Images that were left out go with the weights."""
        checkpoint["deflow"] = {"problems": self.problems}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Images that were left out come back with the weights."""
        for problem in checkpoint["deflow"]["problems"]:
            self.leave_out(problem)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for the network, and for the discriminator where there is one."""
        training = self.run.training
        trained = [self.restorer.network, *([] if self.discriminator is None else [self.discriminator])]
        return [torch.optim.Adam(part.parameters(), training.learning_rate, training.betas) for part in trained]

    def _loss(self, restored: Tensor, clean: Tensor) -> Tensor:
        losses = self.run.losses
        parts = {"l1": losses.l1 * F.l1_loss(restored, clean)}
        for features in self._features:
            parts["features"] = losses.features * features(restored, clean)
        if self.discriminator is not None:
            with frozen(self.discriminator):
                judged = self.discriminator(clean).detach(), self.discriminator(restored)
                parts["adversarial"] = losses.adversarial * self.gan.generator(*judged)
        for name, part in parts.items():
            self.log(f"loss_{name}", part.detach())
        return torch.stack(list(parts.values())).sum()

    def _discriminator_step(self, optimizer: Any, restored: Tensor, clean: Tensor) -> None:
        assert self.discriminator is not None
        loss = self.gan.discriminator(self.discriminator(clean), self.discriminator(restored))
        optimizer.zero_grad()
        self.manual_backward(loss)
        # The optimiser itself: Lightning counts the steps of its own wrapper as steps of the run.
        optimizer.optimizer.step()
        self.log("loss_discriminator", loss.detach())

    def _require_finite(self, loss: Tensor, step: int) -> None:
        if not loss.isfinite():
            raise UserError(
                f"the loss is not finite at step {step}; the last checkpoint is kept: try a lower "
                "training.learning_rate, with another --out"
            )
