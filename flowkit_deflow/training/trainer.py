"""Training a model, or going on with a run that was stopped."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities import rank_zero_only

from flowkit_deflow.errors import UserError
from flowkit_deflow.files import write_text
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.method.rrdb import RRDBEncoder
from flowkit_deflow.settings.schema import Run, Training
from flowkit_deflow.settings.text import to_yaml
from flowkit_deflow.state_files import read_state
from flowkit_deflow.training.cautions import cautions
from flowkit_deflow.training.changes import CHANGED, note_change
from flowkit_deflow.training.checkpoint_io import last_checkpoint, model_of_run
from flowkit_deflow.training.checkpoints import Checkpoints
from flowkit_deflow.training.conditioning.settings import resolve_conditioning
from flowkit_deflow.training.data import UnpairedCrops, measure_normalization
from flowkit_deflow.training.endings import told_plainly
from flowkit_deflow.training.fingerprints import fingerprints_of_data, fingerprints_of_weights
from flowkit_deflow.training.initial_model import start_from
from flowkit_deflow.training.interrupt import StopBetweenSteps
from flowkit_deflow.training.lightning_module import DeFlowTraining
from flowkit_deflow.training.lightning_trainer import Loop, lightning_trainer
from flowkit_deflow.training.model_choice import ModelChoice, choose_step
from flowkit_deflow.training.monitoring import Monitoring
from flowkit_deflow.training.paired_crops import crops_of
from flowkit_deflow.training.resuming import begun, going_on, require_same_data, resumed, settings_file
from flowkit_deflow.training.sample_images import SampleImages
from flowkit_deflow.training.scalars_file import ScalarsFile
from flowkit_deflow.training.selection import SELECTIONS
from flowkit_deflow.training.step_time import FEWEST_STEPS, time_of_training
from flowkit_deflow.training.weight_average import Averaging
from flowkit_deflow.weights.rrdb_weights import load_rrdb

__all__ = ["train"]

log = logging.getLogger(__name__)
tell = rank_zero_only(log.info)


def train(
    run: Run, out: Path, *, progress: bool = True, callbacks: Iterable[Callback] = ()
) -> tuple[DeFlow, list[str]]:
    """Train a model, or go on with a run that was stopped.

    ``out`` holds ``run.yaml`` (the settings), ``checkpoints/last.ckpt``, ``log/`` (TensorBoard, and ``scalars.csv``)
    and in the end ``model/``, which :meth:`DeFlow.from_pretrained` reads. Where images are held out, ``monitors.csv``
    and the log have what they showed, and ``checkpoints/best.ckpt`` is the best step by ``training.select``. The model
    is from it if the last step is worse by more than chance; ``chosen_step.yaml`` says which, and why.

    A run that has begun goes on with the same settings, or with others that do not change what is learned
    (:class:`~flowkit_deflow.settings.sorts.Sort`); more ``training.steps`` lengthen it. Ctrl-C and SIGTERM end it
    between two steps, and the last step is saved.

    Args:
        run: the settings.
        out: folder of the run.
        progress: show how far it has come: a bar on a terminal, else a line every half minute.
        callbacks: more of Lightning's callbacks.

    Returns:
        The trained model, in evaluation mode, and a message for each image that could not be used.

    Raises:
        UserError: a folder or setting does not fit, a data-loader process was killed, or too many steps in a row were
            not finite: the run then goes on from its last good checkpoint.
        KeyboardInterrupt: it was stopped by Ctrl-C.
        SystemExit: it was stopped by SIGTERM.
    """
    before = begun(out)
    run, changed = (run, []) if before is None else resumed(before, run)
    training = run.training
    pl.seed_everything(training.seed, verbose=False)
    # Whatever can be wrong with the settings is found out before anything is written.
    chosen = run if before is not None else _chosen(run)
    crops = crops_of(run.data, chosen.architecture, training.batch, training.seed)
    sources = fingerprints_of_data(crops)
    if before is None:
        for caution in cautions(out, crops):
            rank_zero_only(log.warning)(f"Take care: {caution}.")
    else:
        require_same_data(before, sources)
        sources = {**before.sources, **sources}
        for line in going_on(before, run, changed):
            tell(line)
    stop = StopBetweenSteps()
    monitoring = _monitoring(crops, training, out)
    start = 0 if before is None else before.step
    trainer = lightning_trainer(
        _loop(training),
        out,
        Checkpoints(out, training.checkpoint_every, training.max_skipped, stop),
        stop=stop,
        progress=progress,
        callbacks=[Averaging(), SampleImages(training.image_every), *monitoring, *callbacks],
        loggers=[ScalarsFile(out / "log" / "scalars.csv", start)],
    )
    complete = chosen if before is not None else _measured(chosen, crops)
    model = DeFlow(complete.architecture)
    if before is None:
        _load_weights(model, training)
        sources |= fingerprints_of_weights(training)
    module = DeFlowTraining(model, run, sources)
    for problem in crops.problems:
        module.leave_out(problem)
    # The first images are read here: what is wrong with them is told before the run has begun.
    module.setup("fit")
    if before is None and training.steps >= FEWEST_STEPS and trainer.strategy.root_device.type == "cpu":
        # A GPU's time is told after some steps alone.
        tell(time_of_training(module))
    write_text(settings_file(out), to_yaml(complete))
    if changed:
        rank_zero_only(note_change)(out, start, CHANGED, {d.name: [d.before, d.now] for d in changed})
    _fit(trainer, module, out, stop)
    for looks in monitoring:
        # Lightning tells of no end where a run that had made all its steps goes on.
        looks.on_train_end(trainer, module)
    choice = _choice(trainer, monitoring, training, out)
    tell(str(choice))
    model.load_state_dict(_to_be_written(module, choice, out).state_dict())
    module.infer_shifts()
    if model.grain is not None and not run.data.pairs:
        tell(f"Measured at flat places, on top of the shift: {model.grain.in_words}.")
    model = model.cpu().eval()
    if trainer.is_global_zero:
        for looks in monitoring:
            looks.finish(model, crops)
        choice.write(out)
        model.save_pretrained(out / "model")
    return model, module.problems


def _loop(training: Training) -> Loop:
    return Loop(
        training.steps,
        training.checkpoint_every,
        training.log_every,
        training.accelerator,
        training.precision,
        training.devices,
        training.strategy,
        training.clip_norm,
    )


def _fit(trainer: pl.Trainer, module: DeFlowTraining, out: Path, stop: StopBetweenSteps) -> None:
    """Make the steps that are left; what ends them early is told plainly."""
    last = last_checkpoint(out)
    workers = max(module.run.training.workers - 1, 0)
    goes_on = f"deflow train --out {out}"
    fewer = f"go on from the last checkpoint with fewer of them: {goes_on} --set training.workers={workers}"
    try:
        with told_plainly(out, stop, fewer):
            trainer.fit(module, ckpt_path=str(last) if last.exists() else None)
    except (SystemExit, KeyboardInterrupt):
        if stop.stopping:
            tell(f"Stopped after step {trainer.global_step}, which is saved: {goes_on} goes on.")
        raise


def _choice(trainer: pl.Trainer, monitoring: list[Monitoring], training: Training, out: Path) -> ModelChoice:
    """Which step the model is from."""
    last, best = (monitoring[0].last, monitoring[0].best) if monitoring else (None, None)
    return choose_step(out, trainer.global_step, training.select, last, best)


def _to_be_written(module: DeFlowTraining, choice: ModelChoice, out: Path) -> DeFlow:
    """The model of the chosen step: the last one's is at hand."""
    chosen = out / choice.checkpoint
    return module.judged if chosen == last_checkpoint(out) else model_of_run(chosen)


def _monitoring(crops: UnpairedCrops, training: Training, out: Path) -> list[Monitoring]:
    """Looks at the held-out images, where there are some of both domains."""
    held_out = crops.from_held_out()
    return [] if held_out is None else [Monitoring(out, held_out, training.monitor_every, SELECTIONS[training.select])]


def _chosen(run: Run) -> Run:
    """The settings with numbers in the place of ``auto``; what was measured and chosen is told."""
    run, conditioning = resolve_conditioning(run)
    if conditioning is not None:
        tell(str(conditioning))
    return run


def _measured(run: Run, crops: UnpairedCrops) -> Run:
    """The settings with the statistics of the data, where they are asked for."""
    if not run.data.normalize or run.architecture.normalization is not None:
        return run
    return replace(run, architecture=replace(run.architecture, normalization=measure_normalization(crops)))


def _load_weights(model: DeFlow, training: Training) -> None:
    """The weights that a new run starts from, where they are not random."""
    if training.initial_model is not None:
        start_from(model, Path(training.initial_model))
    if training.encoder_weights is None:
        return
    encoders = [module for module in model.modules() if isinstance(module, RRDBEncoder)]
    if not encoders:
        raise UserError("setting 'training.encoder_weights' is given, but 'architecture.factor' is null: no encoder")
    load_rrdb(encoders[0], read_state(Path(training.encoder_weights)))
