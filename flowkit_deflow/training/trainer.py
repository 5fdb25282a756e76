"""Training a model, or going on with a run that was stopped."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

from flowkit_deflow.errors import UserError
from flowkit_deflow.files import write_text
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.method.rrdb import RRDBEncoder
from flowkit_deflow.settings.schema import Run, Training
from flowkit_deflow.settings.text import read_run, to_dict, to_yaml
from flowkit_deflow.state_files import read_state
from flowkit_deflow.training.checkpoint_io import AtomicCheckpointIO, best_checkpoint, last_checkpoint, model_of_run
from flowkit_deflow.training.conditioning.settings import resolve_conditioning
from flowkit_deflow.training.data import UnpairedCrops, measure_normalization
from flowkit_deflow.training.interrupt import StopBetweenSteps
from flowkit_deflow.training.lightning_module import DeFlowTraining
from flowkit_deflow.training.monitoring import Monitoring
from flowkit_deflow.training.paired_crops import crops_of
from flowkit_deflow.training.sample_images import SampleImages
from flowkit_deflow.training.selection import SELECTIONS
from flowkit_deflow.training.weight_average import Averaging
from flowkit_deflow.weights.rrdb_weights import load_rrdb

__all__ = ["train"]

log = logging.getLogger(__name__)


def train(
    run: Run, out: Path, *, progress: bool = True, callbacks: Iterable[Callback] = ()
) -> tuple[DeFlow, list[str]]:
    """Train a model, or go on with a run that was stopped.

    ``out`` holds ``run.yaml`` (the settings), ``checkpoints/last.ckpt``, ``log/`` (TensorBoard) and in the end
    ``model/``, which :meth:`DeFlow.from_pretrained` reads. Where images are held out, ``monitors.csv`` and the log have
    what they showed, and ``checkpoints/best.ckpt`` is kept if ``training.select`` names a figure: the model is from it.

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
    stop = StopBetweenSteps()
    recorded = _recorded(run, out)
    chosen = recorded or _chosen(run)
    crops = crops_of(run.data, chosen.architecture, training.batch, training.seed)
    monitoring = _monitoring(crops, training, out)
    trainer = _trainer(run, out, progress, [stop, *monitoring, *callbacks])
    complete = recorded or _measured(chosen, crops)
    model = DeFlow(complete.architecture)
    if training.encoder_weights is not None:
        _load_encoder(model, Path(training.encoder_weights))
    module = DeFlowTraining(model, run)
    for problem in crops.problems:
        module.leave_out(problem)
    # The first images are read here: what is wrong with them is told before the run has begun.
    module.setup("fit")
    write_text(out / "run.yaml", to_yaml(complete))
    last = last_checkpoint(out)
    try:
        with stop.listening():
            trainer.fit(module, ckpt_path=str(last) if last.exists() else None)
    except OSError as error:
        raise UserError(
            f"{out}: cannot be written ({error.strerror or error}); free some space or choose another --out"
        ) from None
    except SystemExit:
        # Lightning's answer to Ctrl-C: the caller is to know what happened.
        raise KeyboardInterrupt from None
    for looks in monitoring:
        # Lightning tells of no end where a run that had made all its steps goes on.
        looks.on_train_end(trainer, module)
    if trainer.global_step % training.checkpoint_every:
        trainer.save_checkpoint(last)
    best = best_checkpoint(out)
    model.load_state_dict((model_of_run(best) if best.exists() else module.judged).state_dict())
    module.infer_shifts()
    model = model.cpu().eval()
    if trainer.is_global_zero:
        for looks in monitoring:
            looks.finish(model, crops)
        model.save_pretrained(out / "model")
    return model, module.problems


def _monitoring(crops: UnpairedCrops, training: Training, out: Path) -> list[Monitoring]:
    """Looks at the held-out images, where there are some of both domains."""
    held_out = crops.from_held_out()
    return [] if held_out is None else [Monitoring(out, held_out, training.monitor_every, SELECTIONS[training.select])]


def _trainer(run: Run, out: Path, progress: bool, callbacks: Iterable[Callback]) -> pl.Trainer:
    training = run.training
    if training.accelerator in ("gpu", "cuda") and not torch.accelerator.is_available():
        raise UserError(
            f"setting 'training.accelerator' is {training.accelerator!r}, but PyTorch sees no GPU here; "
            "set it to 'cpu' or 'auto'"
        )
    last = last_checkpoint(out)
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
                Averaging(),
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


def _recorded(run: Run, out: Path) -> Run | None:
    """The settings of the run that ``out`` holds, if any, with the statistics that it measured; they may not change."""
    settings = out / "run.yaml"
    if not settings.exists():
        return None
    recorded = read_run(settings)
    # What was measured is no difference; a number that "auto" was replaced by is none either.
    open_names = [name for name in ("factor", "h_noise") if getattr(run.architecture, name) == "auto"]
    measured = {name: getattr(run.architecture, name) for name in ("normalization", *open_names)}
    known = replace(recorded, architecture=replace(recorded.architecture, **measured))
    if known != run:
        raise UserError(
            f"{out}: holds a run with other settings ({_first_difference(to_dict(known), to_dict(run))}); "
            "choose another --out, or remove it"
        )
    return recorded


def _chosen(run: Run) -> Run:
    """The settings with numbers in the place of ``auto``; what was measured and chosen is told."""
    run, conditioning = resolve_conditioning(run)
    if conditioning is not None:
        rank_zero_only(log.info)(str(conditioning))
    return run


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
