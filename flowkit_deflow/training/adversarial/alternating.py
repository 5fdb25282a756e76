"""Lightning's loop over the steps of generators and discriminators, which take turns."""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from flowkit_deflow.errors import UserError
from flowkit_deflow.training.adversarial.discriminators import frozen
from flowkit_deflow.training.adversarial.task import Task
from flowkit_deflow.training.loader import load

__all__ = ["Alternating", "DivergedError", "Optimisation"]


class DivergedError(UserError):
    """A loss or a gradient that is not finite: no step is made by it."""


@dataclass(frozen=True)
class Optimisation:
    """How both sides are optimised.

    Attributes:
        steps: of the run.
        learning_rate: of Adam at a step.
        betas: of Adam.
        workers: data-loader processes.
    """

    steps: int
    learning_rate: Callable[[int], float]
    betas: tuple[float, float]
    workers: int


class Alternating(pl.LightningModule):
    """A step of the generators, then one of the discriminators, on the same images.

    Args:
        task: what is trained.
        batches: item ``n`` is the whole batch of step ``n``, a mapping with a list ``problems`` of messages.
        optimisation: how.
        problems: messages of images that were left out already.
    """

    def __init__(
        self, task: Task, batches: Dataset[Any], optimisation: Optimisation, problems: Iterable[str] = ()
    ) -> None:
        super().__init__()
        # Two optimisers take turns, and one step of both is one step of the run.
        self.automatic_optimization = False
        self.task = task
        self.batches = batches
        self.optimisation = optimisation
        self.problems = list(problems)

    def on_fit_start(self) -> None:
        """Bring what is not trained to the device."""
        for part in self.task.untrained:
            part.to(self.device).eval().requires_grad_(False)

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches from the step that the run has come to."""
        return load(self.batches, self.trainer.global_step, self.optimisation.steps, self.optimisation.workers)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """A step of the generators, then one of the discriminators."""
        if isinstance(batch, UserError):
            raise batch
        for problem in batch["problems"]:
            self.leave_out(problem)
        step = self.trainer.global_step
        optimizers = self.optimizers()
        optimizer, *others = optimizers if isinstance(optimizers, list) else [optimizers]
        for each in (optimizer, *others):
            for group in each.param_groups:
                group["lr"] = self.optimisation.learning_rate(step)
        made = self.task.generate(batch, step)
        discriminators = self.task.discriminators
        with nullcontext() if discriminators is None else frozen(discriminators):
            losses = self.task.generator_losses(made)
        loss = torch.stack(list(losses.values())).sum()
        self._differentiate(loss, optimizer, step)
        optimizer.step()
        self.log("loss", loss.detach(), prog_bar=True)
        self.log_dict({f"loss_{name}": part.detach() for name, part in losses.items()})
        for other in others:
            self._judge(other, made, step)

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
        """Adam for the generators, and for the discriminators where there are some."""
        trained = [part for part in (self.task.generators, self.task.discriminators) if part is not None]
        rate, betas = self.optimisation.learning_rate(0), self.optimisation.betas
        return [torch.optim.Adam(part.parameters(), rate, betas) for part in trained]

    def _judge(self, optimizer: Any, made: Any, step: int) -> None:
        loss = self.task.discriminator_loss(made)
        self._differentiate(loss, optimizer, step)
        # The optimiser itself: Lightning counts the steps of its own wrapper as steps of the run.
        optimizer.optimizer.step()
        self.log("loss_discriminators", loss.detach())

    def _differentiate(self, loss: Tensor, optimizer: Any, step: int) -> None:
        """Gradients of a loss; nothing that is not finite gets into the weights, and so into a checkpoint."""
        optimizer.zero_grad()
        self.manual_backward(loss)
        gradients = [part.grad for group in optimizer.param_groups for part in group["params"] if part.grad is not None]
        largest = torch.stack([loss.detach(), *(gradient.norm() for gradient in gradients)])
        if not largest.isfinite().all():
            raise DivergedError(f"the loss or its gradient is not finite at step {step}")
