"""Training: what DeFlow adds to Lightning's loop."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from flowkit import bits_per_dim
from flowkit_deflow.checkpoint import pickled, read_state, unpickled
from flowkit_deflow.config import Run, from_dict, read_yaml, to_dict, to_yaml
from flowkit_deflow.data import Batch, StepSampler, UnpairedCrops, measure_normalization
from flowkit_deflow.errors import UserError
from flowkit_deflow.files import atomic_path
from flowkit_deflow.latents import Domain, InferredShift
from flowkit_deflow.model import DeFlow
from flowkit_deflow.noise import SeededNoise
from flowkit_deflow.rrdb import RRDBEncoder
from flowkit_deflow.rrdb_weights import load_rrdb

__all__ = ["DeFlowTraining", "train"]

INITIALIZATION_BATCHES = 4
INFERENCE_BATCHES = 32


class _ToldPlainly(Dataset[Batch | UserError]):
    """Batches for data-loader processes, which would bury an error's one line in a traceback: it is handed over."""

    def __init__(self, crops: UnpairedCrops) -> None:
        self.crops = crops

    def __getitem__(self, step: int) -> Batch | UserError:
        try:
            return self.crops[step]
        except UserError as error:
            return error


class DeFlowTraining(pl.LightningModule):
    """Maximise the two marginal likelihoods (eq. 4) of unpaired crops.

    Args:
        model: the network.
        run: the settings.
    """

    def __init__(self, model: DeFlow, run: Run) -> None:
        super().__init__()
        self.model = model
        self.run = run
        self.skipped = 0
        self.skipped_in_a_row = 0
        self.problems: list[str] = []

    def crops(self) -> UnpairedCrops:
        """The training data of this process."""
        training = self.run.training
        return UnpairedCrops(
            self.run.data,
            self.model.config,
            training.batch,
            training.seed,
            self.trainer.global_rank,
            self.trainer.world_size,
        )

    def train_dataloader(self) -> DataLoader[Batch | UserError]:
        """Batches from the step that the run has come to."""
        workers = self.run.training.workers
        return DataLoader(
            _ToldPlainly(self.crops()),
            batch_size=None,
            sampler=StepSampler(self.trainer.global_step, self.run.training.steps),
            num_workers=workers,
            prefetch_factor=4 if workers else None,
        )

    def setup(self, stage: str) -> None:
        """Start the actnorms from crops of both domains, the same in every process."""
        if all(bool(value) for key, value in self.model.state_dict().items() if key.endswith("initialized")):
            return
        batches = list(self._whole_batches(INITIALIZATION_BATCHES))
        inputs = [self._inputs(batch) for batch in batches]
        images, domain = torch.cat([i[0] for i in inputs]), torch.cat([batch["domain"] for batch in batches])
        h = None if inputs[0][1] is None else torch.cat([i[1] for i in inputs if i[1] is not None])
        self.model.initialize(images, domain, h)

    def training_step(self, batch: Batch | UserError, batch_idx: int) -> Tensor:
        """Mean code length of the batch in bits per dimension."""
        if isinstance(batch, UserError):
            raise batch
        for problem in batch["problems"]:
            self.leave_out(problem)
        images, h = self._inputs(batch)
        domain = batch["domain"]
        log_prob = self.model.log_prob(images, domain, h)
        bits = bits_per_dim(log_prob, images[0].numel(), self.model.config.bins)
        loss = bits.mean()
        with torch.no_grad():
            for name, which in (("bits_clean", Domain.CLEAN), ("bits_degraded", Domain.DEGRADED)):
                self.log(name, bits[domain == which].mean(), prog_bar=True)
            self.log("loss", loss)
            self.log("learning_rate", self.trainer.optimizers[0].param_groups[0]["lr"], prog_bar=True)
        # A non-finite loss has to reach every parameter's gradient, in every process: all of them then skip the step.
        return loss if loss.isfinite() else loss * torch.nan

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

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Stop once too many steps in a row were skipped."""
        if self.skipped_in_a_row >= self.run.training.max_skipped:
            path = self.last_checkpoint
            self.trainer.save_checkpoint(path)
            raise UserError(
                f"{self.skipped_in_a_row} steps in a row had a non-finite loss or gradient: training stopped at step "
                f"{self.trainer.global_step}; the last good weights are in {path}; try a lower training.learning_rate, "
                "with another --out"
            )

    @property
    def last_checkpoint(self) -> Path:
        """Where the run goes on from."""
        return _last_checkpoint(Path(self.trainer.default_root_dir))

    def leave_out(self, problem: str) -> None:
        """Remember an image that could not be used, once."""
        if problem not in self.problems:
            self.problems.append(problem)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Counters go with the weights."""
        checkpoint["deflow"] = {"skipped": self.skipped, "in_a_row": self.skipped_in_a_row, "problems": self.problems}

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
        """Adam; the learning rate rises, then is halved at given fractions; the encoder may start later."""
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

        def factor_at(step: int, *, delay: float) -> float:
            if step < delay * training.steps:
                return 0.0
            halvings = sum(step >= fraction * training.steps for fraction in training.halve_at)
            return min(1.0, (step + 1) / max(training.warmup, 1)) * 0.5**halvings

        schedules: list[Callable[[int], float]] = [partial(factor_at, delay=delay) for _, _, delay in groups]
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedules)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def infer_shifts(self) -> None:
        """For latents that were not shifted in training: measure the shift from data of both domains."""
        shifts = [shift for shift in self.model.latents.shifts if isinstance(shift, InferredShift)]
        if not shifts:
            return
        encoded: dict[Domain, list[tuple[Tensor, ...]]] = {Domain.CLEAN: [], Domain.DEGRADED: []}
        with torch.no_grad():
            for batch in self._whole_batches(INFERENCE_BATCHES):
                images, h = self._inputs(batch)
                shared = self.model.normalization.to_shared(images, batch["domain"])
                z, _ = self.model.bijector(shared, h)
                for domain, parts in encoded.items():
                    parts.append(tuple(level[batch["domain"] == domain] for level in z))
        for i, shift in enumerate(shifts):
            clean, degraded = (torch.cat([parts[i] for parts in encoded[domain]]) for domain in Domain)
            shift.infer(clean, degraded)

    def _whole_batches(self, number: int) -> Iterator[Batch]:
        """The first batches, of all processes together."""
        training = self.run.training
        crops = UnpairedCrops(self.run.data, self.model.config, training.batch, training.seed)
        for step in range(number):
            batch = crops[step]
            for problem in batch["problems"]:
                self.leave_out(problem)
            yield batch

    def _inputs(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Dequantised images, and h with its noise."""
        images = batch["images"] + (batch["dequantization"] - 0.5) / self.model.config.bins
        if batch["h"] is None:
            return images, None
        return images, self.model.noisy_h(batch["h"], batch["domain"], batch["h_noise"])


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoints that are there whole or not at all, and are never unpickled unchecked."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write beside, flush to the disk, rename."""
        with atomic_path(Path(path)) as temporary, temporary.open("wb") as file:
            file.write(pickled(checkpoint))
            file.flush()
            os.fsync(file.fileno())

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        """Read with PyTorch's restricted unpickler."""
        advice = "remove it to start the run anew"
        checkpoint = unpickled(Path(path), advice, advice)
        if not isinstance(checkpoint, dict) or not {"deflow", "state_dict", "loops"} <= checkpoint.keys():
            raise UserError(f"{path}: is no checkpoint of a run of deflow train; {advice}")
        return checkpoint


class SampleImages(Callback):
    """Sample images for TensorBoard: clean crops, degraded versions of them, and really degraded crops."""

    def __init__(self, every: int) -> None:
        self.every = every

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Every so many steps, from the first process."""
        if not self.every or trainer.global_step % self.every or not trainer.is_global_zero:
            return
        clean = batch["images"][batch["domain"] == Domain.CLEAN][:4]
        degraded = batch["images"][batch["domain"] == Domain.DEGRADED][:4]
        generated = module.model.degrade(clean, noise=SeededNoise(0, "sample images"))
        rows = [torch.cat(list(row), dim=-1) for row in (clean, generated, degraded)]
        # A model that has just gone astray gives values that have no colour.
        picture = torch.cat(rows, dim=-2).nan_to_num(posinf=1.0, neginf=0.0).cpu()
        if isinstance(module.logger, TensorBoardLogger):
            module.logger.experiment.add_image("clean, generated, really degraded", picture, trainer.global_step)


def train(
    run: Run, out: Path, *, progress: bool = True, callbacks: Iterable[Callback] = ()
) -> tuple[DeFlow, list[str]]:
    """Train a model, or go on with a run that was stopped.

    ``out`` holds ``run.yaml`` (the settings), ``checkpoints/last.ckpt``, ``log/`` (TensorBoard) and in the end
    ``model/``, which :meth:`DeFlow.from_pretrained` reads.

    Args:
        run: the settings.
        out: folder of the run.
        progress: show a progress bar.
        callbacks: more of Lightning's callbacks.

    Returns:
        The trained model, in evaluation mode, and a message for each image that could not be used.

    Raises:
        UserError: a folder or setting does not fit, or too many steps in a row were not finite.
    """
    training = run.training
    pl.seed_everything(training.seed, verbose=False)
    # Whatever can be wrong with the settings is found out before anything is written.
    trainer = _trainer(run, out, progress, callbacks)
    crops = UnpairedCrops(run.data, run.architecture, training.batch, training.seed)
    complete = _recorded(run, out) or _measured(run, crops)
    model = DeFlow(complete.architecture)
    if training.encoder_weights is not None:
        _load_encoder(model, Path(training.encoder_weights))
    module = DeFlowTraining(model, run)
    for problem in crops.problems:
        module.leave_out(problem)
    # The first images are read here: what is wrong with them is told before the run has begun.
    module.setup("fit")
    with atomic_path(out / "run.yaml") as temporary:
        temporary.write_text(to_yaml(complete), encoding="utf-8")
    last = _last_checkpoint(out)
    try:
        trainer.fit(module, ckpt_path=str(last) if last.exists() else None)
    except SystemExit:
        # Lightning's answer to Ctrl-C: the caller is to know what happened.
        raise KeyboardInterrupt from None
    module.infer_shifts()
    model = model.cpu().eval()
    if trainer.is_global_zero:
        model.save_pretrained(out / "model")
    return model, module.problems


def _trainer(run: Run, out: Path, progress: bool, callbacks: Iterable[Callback]) -> pl.Trainer:
    training = run.training
    if training.accelerator in ("gpu", "cuda") and not torch.accelerator.is_available():
        raise UserError(
            f"setting 'training.accelerator' is {training.accelerator!r}, but PyTorch sees no GPU here; "
            "set it to 'cpu' or 'auto'"
        )
    last = _last_checkpoint(out)
    try:
        return pl.Trainer(
            max_steps=training.steps,
            max_epochs=-1,
            accelerator=training.accelerator,
            devices=training.devices,
            strategy=training.strategy,
            precision=training.precision,  # type: ignore[arg-type]
            gradient_clip_val=training.clip_norm or None,
            default_root_dir=out,
            logger=TensorBoardLogger(out, name="log", version=""),
            log_every_n_steps=training.log_every,
            enable_progress_bar=progress,
            enable_model_summary=False,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            plugins=[AtomicCheckpointIO()],
            callbacks=[
                ModelCheckpoint(
                    last.parent, last.stem, every_n_train_steps=training.checkpoint_every, enable_version_counter=False
                ),
                SampleImages(training.image_every),
                *([TQDMProgressBar(refresh_rate=1)] if progress else []),
                *callbacks,
            ],
        )
    except (MisconfigurationException, ValueError, ModuleNotFoundError) as error:
        names = ("accelerator", "devices", "strategy", "precision")
        given = ", ".join(f"training.{name}={getattr(training, name)}" for name in names)
        raise UserError(f"the settings {given} cannot be used here: {error}") from error


def _last_checkpoint(out: Path) -> Path:
    return out / "checkpoints" / "last.ckpt"


def _recorded(run: Run, out: Path) -> Run | None:
    """The settings of the run that ``out`` holds, if any, with the statistics that it measured; they may not change."""
    settings = out / "run.yaml"
    if not settings.exists():
        return None
    recorded = from_dict(Run, read_yaml(settings), str(settings))
    known = replace(recorded, architecture=replace(recorded.architecture, normalization=run.architecture.normalization))
    if known != run:
        raise UserError(
            f"{out}: holds a run with other settings ({_first_difference(to_dict(known), to_dict(run))}); "
            "choose another --out, or remove it"
        )
    return recorded


def _measured(run: Run, crops: UnpairedCrops) -> Run:
    """The settings with the statistics of the data, where they are asked for."""
    if not run.data.normalize or run.architecture.normalization is not None:
        return run
    return replace(run, architecture=replace(run.architecture, normalization=measure_normalization(crops)))


def _first_difference(recorded: dict[str, Any], wanted: dict[str, Any], prefix: str = "") -> str:
    for name, value in wanted.items():
        if value != recorded.get(name):
            if isinstance(value, dict) and isinstance(recorded.get(name), dict):
                return _first_difference(recorded[name], value, f"{prefix}{name}.")
            return f"{prefix}{name} was {recorded.get(name)!r}, now {value!r}"
    return "none named"


def _load_encoder(model: DeFlow, path: Path) -> None:
    encoders = [module for module in model.modules() if isinstance(module, RRDBEncoder)]
    if not encoders:
        raise UserError("setting 'training.encoder_weights' is given, but 'architecture.factor' is null: no encoder")
    load_rrdb(encoders[0], read_state(path))
