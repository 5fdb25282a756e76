"""What DeFlow adds to Lightning's loop: the objective, the schedule, and what becomes of a step that went wrong."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from flowkit import bits_per_dim, use_activations
from flowkit_deflow.errors import UserError
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.method.rrdb import RRDBEncoder
from flowkit_deflow.settings.schema import Data, Run
from flowkit_deflow.training.activations import ACTIVATIONS
from flowkit_deflow.training.checkpoint_io import last_checkpoint
from flowkit_deflow.training.data import Batch, UnpairedCrops
from flowkit_deflow.training.fingerprints import Fingerprint
from flowkit_deflow.training.grain_inference import MOST_IMAGES, infer_grain
from flowkit_deflow.training.inputs import network_inputs
from flowkit_deflow.training.loader import load
from flowkit_deflow.training.micro_batches import mean_in_parts
from flowkit_deflow.training.objectives import marginal_log_prob, paired_log_prob
from flowkit_deflow.training.paired_crops import crops_of
from flowkit_deflow.training.schedules import rate_factor
from flowkit_deflow.training.shift_inference import BATCHES, infer_shifts
from flowkit_deflow.training.weight_average import moving_average

__all__ = ["DeFlowTraining"]

INITIALIZATION_BATCHES = 4
PIXELS_AT_ONCE = 8 * 160 * 160


class DeFlowTraining(pl.LightningModule):
    """Maximise the two marginal likelihoods (eq. 4) of unpaired crops, or eq. 5 of paired ones.

    Args:
        model: the network.
        run: the settings.
        sources: fingerprints of what the run is trained on and started from; they go into its checkpoints.
    """

    def __init__(self, model: DeFlow, run: Run, sources: Mapping[str, Fingerprint] | None = None) -> None:
        super().__init__()
        self.model = model
        self.run = run
        self.sources = dict(sources or {})
        self.skipped = 0
        self.skipped_in_a_row = 0
        self.problems: list[str] = []
        use_activations(model.bijector, ACTIVATIONS[run.training.activations])
        self.average = moving_average(model, run.training.ema) if run.training.ema else None

    @property
    def judged(self) -> DeFlow:
        """The model that is looked at and written: the averaged one, where weights are averaged."""
        if self.average is None:
            return self.model
        assert isinstance(self.average.module, DeFlow)
        return self.average.module

    def crops(self) -> UnpairedCrops:
        """The training data of this process."""
        training = self.run.training
        return crops_of(
            self.run.data,
            self.model.config,
            training.batch,
            training.seed,
            self.trainer.global_rank,
            self.trainer.world_size,
        )

    def train_dataloader(self) -> DataLoader[Batch | UserError]:
        """Batches from the step that the run has come to."""
        training = self.run.training
        return load(self.crops(), self.trainer.global_step, training.steps, training.workers)

    @cached_property
    def first_batch(self) -> Batch:
        """The batch of the first step, of all processes together."""
        return next(self._whole_batches(1))

    def setup(self, stage: str) -> None:
        """Start the actnorms from crops of both domains, the same in every process."""
        if all(bool(value) for key, value in self.model.state_dict().items() if key.endswith("initialized")):
            return
        batches = list(self._whole_batches(INITIALIZATION_BATCHES))
        inputs = [network_inputs(self.model, batch) for batch in batches]
        images, domain = torch.cat([i[0] for i in inputs]), torch.cat([batch["domain"] for batch in batches])
        h = None if inputs[0][1] is None else torch.cat([i[1] for i in inputs if i[1] is not None])
        self.model.initialize(images, domain, h)

    def training_step(self, batch: Batch | UserError, batch_idx: int) -> Tensor:
        """Mean code length of the batch in bits per dimension."""
        if isinstance(batch, UserError):
            raise batch
        for problem in batch["problems"]:
            self.leave_out(problem)
        loss, bits = self.batch_loss(batch)
        domain = batch["domain"]
        with torch.no_grad():
            for name, which in (("bits_clean", Domain.CLEAN), ("bits_degraded", Domain.DEGRADED)):
                self.log(name, bits[domain == which].mean(), prog_bar=True)
            self.log("loss", loss)
            self.log("learning_rate", self.trainer.optimizers[0].param_groups[0]["lr"], prog_bar=True)
        # A non-finite loss has to reach every parameter's gradient, in every process: all of them then skip the step.
        return loss if loss.isfinite() else loss * torch.nan

    def batch_loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The loss of a batch, and the code length of each crop in bits per dimension."""
        images, h = network_inputs(self.model, batch)
        domain = batch["domain"]
        objective = paired_log_prob if self.run.data.pairs else marginal_log_prob

        def code_length(part: slice) -> Tensor:
            log_prob = objective(self.model, images[part], domain[part], None if h is None else h[part])
            return bits_per_dim(log_prob, images[0].numel(), self.model.config.bins)

        # The two images of a pair stay together.
        at_once = self._crops_at_once(images) if not self.run.data.pairs else 2 * -(-self._crops_at_once(images) // 2)
        try:
            return mean_in_parts(code_length, len(images), at_once, self.model)
        except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
            # The weights have gone astray so far that a covariance is none: a step as if its loss were not finite.
            loss = torch.stack([p.sum() for p in self.model.parameters() if p.requires_grad]).sum() * torch.nan
            return loss, images.new_full((len(images),), torch.nan)

    def _crops_at_once(self, images: Tensor) -> int:
        given = self.run.training.crops_at_once
        if given is not None:
            return given
        if images.device.type != "cpu":
            return len(images)
        # Fewer at once go through the weights more often: a step of eight crops of 160 x 160 takes a tenth to a fifth
        # longer by fours, a quarter to two fifths by twos, and 6.8 GB at once, where a plain evaluation takes 9.5.
        return max(1, PIXELS_AT_ONCE // (images.shape[-2] * images.shape[-1]))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Keep non-finite gradients from the weights: without gradients, Adam leaves weights and moments alone."""
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if norm.isfinite():
            self.skipped_in_a_row = 0
        else:
            self.skipped += 1
            self.skipped_in_a_row += 1
            optimizer.zero_grad(set_to_none=True)
        self.log("skipped_steps", float(self.skipped))

    @property
    def last_checkpoint(self) -> Path:
        """Where the run goes on from."""
        return last_checkpoint(Path(self.trainer.default_root_dir))

    def leave_out(self, problem: str) -> None:
        """Remember an image that could not be used, once."""
        if problem not in self.problems:
            self.problems.append(problem)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Counters and fingerprints go with the weights."""
        checkpoint["deflow"] = {
            "skipped": self.skipped,
            "in_a_row": self.skipped_in_a_row,
            "problems": self.problems,
            "sources": {name: tuple(fingerprint) for name, fingerprint in self.sources.items()},
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Counters come back with the weights."""
        own, stored = self.state_dict(), checkpoint["state_dict"]
        for key in sorted(own.keys() | stored.keys()):
            if key not in own or key not in stored or own[key].shape != stored[key].shape:
                raise UserError(
                    f"{self.last_checkpoint}: is of another architecture (key {key!r} does not fit); "
                    "remove it to start anew, or choose another --out"
                )
        counters = checkpoint["deflow"]
        self.skipped, self.skipped_in_a_row = counters["skipped"], counters["in_a_row"]
        for problem in counters["problems"]:
            self.leave_out(problem)

    def configure_optimizers(self) -> Any:
        """Adam; the learning rate rises, then falls by the schedule; the encoder may start later."""
        training = self.run.training
        encoder = {id(p) for m in self.model.modules() if isinstance(m, RRDBEncoder) for p in m.parameters()}
        shift = {id(p) for p in self.model.latents.parameters()}
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        groups = [
            ([p for p in parameters if id(p) not in encoder | shift], 1.0, 0.0),
            ([p for p in parameters if id(p) in encoder], 1.0, training.encoder_delay),
            ([p for p in parameters if id(p) in shift], training.shift_rate_factor, 0.0),
        ]
        groups = [group for group in groups if group[0]]
        optimizer = torch.optim.Adam(
            [{"params": params, "lr": training.learning_rate * factor} for params, factor, _ in groups],
            betas=training.betas,
        )
        self._rates = [group["lr"] for group in optimizer.param_groups]

        def factor_at(step: int, *, delay: float) -> float:
            if step < delay * training.steps:
                return 0.0
            return rate_factor(step, training)

        schedules: list[Callable[[int], float]] = [partial(factor_at, delay=delay) for _, _, delay in groups]
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedules)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_train_start(self) -> None:
        """Follow the settings where a checkpoint is of a shorter run, or of one with a higher learning rate."""
        scheduler = self.lr_schedulers()
        assert isinstance(scheduler, torch.optim.lr_scheduler.LambdaLR)
        scheduler.base_lrs = list(self._rates)
        groups = zip(scheduler.optimizer.param_groups, self._rates, scheduler.lr_lambdas, strict=True)
        for group, rate, factor_at in groups:
            group["initial_lr"], group["lr"] = rate, rate * factor_at(scheduler.last_epoch)

    def infer_shifts(self) -> None:
        """Measure the shifts that are measured after training, on crops of both domains, and then the grain.

        Of all images, those included that are held out: the weights stay as they are, and with few images each one
        that is missing moves the level of what is generated.
        """
        everything = replace(self.run.data, held_out=0.0)
        infer_shifts(self.model, lambda: self._whole_batches(BATCHES, everything), self.run.data.pairs)
        if self.model.grain is not None and not self.run.data.pairs:
            training = self.run.training
            crops = crops_of(everything, self.model.config, training.batch, training.seed)
            infer_grain(self.model, partial(crops.whole_images, most=MOST_IMAGES), training.seed)

    def _whole_batches(self, number: int, data: Data | None = None) -> Iterator[Batch]:
        """The first batches, of all processes together; by the run's own data settings, or by others."""
        training = self.run.training
        crops = crops_of(data or self.run.data, self.model.config, training.batch, training.seed)
        for step in range(number):
            batch = crops[step]
            for problem in batch["problems"]:
                self.leave_out(problem)
            yield batch
